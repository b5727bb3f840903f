"""How much better a rollout did than the others of its group.

Arrays are (P, G): P prompts, G rollouts of each. ``valid_PG`` is False where our side failed:
such a rollout is in no mean and no deviation, and its advantage is 0. Where fewer than two are
valid, or all valid ones have the same reward, the group says nothing and all of it is 0.
Symbols: r_i = ``rewards``, A_i = ``advantages``, G = ``group_size``.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from medr_jax.rl.config import Advantage

T = TypeVar("T")

SAME = 1e-9
"""Rewards of a group that differ by no more are the same."""


def grpo(
    rewards_PG: Float[np.ndarray, "P G"],
    valid_PG: Bool[np.ndarray, "P G"] | None = None,
    *,
    eps: float = 1e-6,
    ddof: int = 0,
) -> Float[np.ndarray, "P G"]:
    """A_i = (r_i - mean(r)) / (std(r) + eps), arXiv:2402.03300 §4.1.2.

    Population deviation; TRL and Tunix divide by G - 1 (``ddof=1``), which makes advantages 7%
    smaller at G = 8.
    """
    centred_PG, counts_P = _centred(rewards_PG, valid_PG)
    variance_P = np.sum(centred_PG**2, axis=1) / np.maximum(counts_P - ddof, 1)
    return centred_PG / (np.sqrt(variance_P)[:, None] + eps)


def dr_grpo(
    rewards_PG: Float[np.ndarray, "P G"], valid_PG: Bool[np.ndarray, "P G"] | None = None
) -> Float[np.ndarray, "P G"]:
    """A_i = r_i - mean(r), arXiv:2503.20783 §3.2.

    Divided by the deviation, groups that are almost all right or wrong would weigh most.
    """
    return _centred(rewards_PG, valid_PG)[0]


def rloo(
    rewards_PG: Float[np.ndarray, "P G"], valid_PG: Bool[np.ndarray, "P G"] | None = None
) -> Float[np.ndarray, "P G"]:
    """A_i = r_i - mean of the others' r, arXiv:2402.14740 eq. 8 = G / (G - 1) (r_i - mean(r))."""
    centred_PG, counts_P = _centred(rewards_PG, valid_PG)
    return centred_PG * (counts_P / np.maximum(counts_P - 1, 1))[:, None]


FUNCTIONS: dict[Advantage, Callable[..., np.ndarray]] = {
    Advantage.grpo: grpo,
    Advantage.dr_grpo: dr_grpo,
    Advantage.rloo: rloo,
}


def informative(
    rewards_PG: Float[np.ndarray, "P G"], valid_PG: Bool[np.ndarray, "P G"]
) -> Bool[np.ndarray, " P"]:
    """Groups in which valid rewards differ; the others are dead: they have no gradient."""
    low = np.min(np.where(valid_PG, rewards_PG, np.inf), axis=1)
    high = np.max(np.where(valid_PG, rewards_PG, -np.inf), axis=1)
    return (np.sum(valid_PG, axis=1) > 1) & (high - low > SAME)


def group_by_id(
    items: Sequence[T], group_id: Callable[[T], Hashable], group_size: int
) -> list[list[T]]:
    """Items by their group's id, groups in the order in which they first appear.

    Never by the prompt's text: two tasks may read alike. Raises ValueError for a group of
    another size, whose baseline would be another one's.
    """
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(group_id(item), []).append(item)
    for name, members in groups.items():
        if len(members) != group_size:
            raise ValueError(
                f"group {name!r} has {len(members)} rollouts, not group_size={group_size}; "
                "rollouts were lost or mixed up on their way"
            )
    return list(groups.values())


def _centred(rewards_PG: np.ndarray, valid_PG: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """r - mean(r) of each group, 0 where it says nothing, and the number of valid rollouts."""
    if valid_PG is None:
        valid_PG = np.ones(rewards_PG.shape, bool)
    rewards_PG = np.where(valid_PG, rewards_PG, 0.0)  # a failed one may hold nan
    counts_P = np.sum(valid_PG, axis=1)
    means_P = np.sum(rewards_PG, axis=1) / np.maximum(counts_P, 1)
    kept_PG = valid_PG & informative(rewards_PG, valid_PG)[:, None]
    return np.where(kept_PG, rewards_PG - means_P[:, None], 0.0), counts_P
