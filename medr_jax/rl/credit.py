"""A rollout's advantage as advantages of its turns: credit by hop.

The state before turn t is t and how many entities of the gold chain the searches have brought up.
What a state is worth is told by the group: V(s) is the mean advantage of its rollouts that came
through s. Turn t gets delta_t = V(s_{t+1}) - V(s_t), the last one A_i - V(s_T); with lambda > 0
the sum of lambda^l delta_{t+l}. That is generalised advantage estimation (arXiv:1506.02438 eq. 16,
gamma = 1) with a group's means in place of a critic. With lambda = 0 a rollout's turns add up to
its A_i, so what one turn spoiled is not laid on searches before it that were right. Comparing
within states of a group is also what GiGPO does (arXiv:2505.10978); there a state is what is seen.
"""

from collections.abc import Sequence

import numpy as np

from medr_jax.rl.rollout import Rollout

State = tuple[int, int]
"""(turn, entities found before it)."""


def by_hop(group: Sequence[Rollout], gae_lambda: float) -> list[np.ndarray]:
    """Advantages of each rollout's turns, float64; ``advantage`` of each must be set.

    A rollout that our side failed gets zeros and is in no value.

    Raises:
        ValueError: marks without progress, as of a dump by an older version.
    """
    states = [states_before(rollout) for rollout in group]
    values = state_values(
        [rollout.advantage for rollout in group if rollout.valid],
        [before for rollout, before in zip(group, states, strict=True) if rollout.valid],
    )
    return [
        turn_advantages(rollout.advantage, [values[state] for state in before], gae_lambda)
        if rollout.valid
        else np.zeros(int(rollout.turns.max(initial=0)) + 1)  # the ledger may be a turn ahead
        for rollout, before in zip(group, states, strict=True)
    ]


def states_before(rollout: Rollout) -> list[State]:
    """The state before each turn."""
    num_turns = len(rollout.trajectory.turns)
    progress = rollout.terms.progress if rollout.terms else ()
    if len(progress) != num_turns and rollout.valid:
        raise ValueError(
            f"rollout {rollout.rollout_id}: rl.credit=hop needs marks that tell the progress after "
            f"each of its {num_turns} turns, this one has {len(progress)}; sample it again"
        )
    return list(enumerate((0, *progress)[:num_turns]))


def state_values(
    advantages: Sequence[float], states: Sequence[Sequence[State]]
) -> dict[State, float]:
    """State -> mean advantage of the rollouts that came through it."""
    through: dict[State, list[float]] = {}
    for advantage, before in zip(advantages, states, strict=True):
        for state in before:
            through.setdefault(state, []).append(advantage)
    return {state: float(np.mean(found)) for state, found in through.items()}


def turn_advantages(advantage: float, values: Sequence[float], gae_lambda: float) -> np.ndarray:
    """From the values before each turn to advantages; the end is worth ``advantage``."""
    deltas = np.diff([*values, advantage])
    for turn in range(len(deltas) - 2, -1, -1):
        deltas[turn] += gae_lambda * deltas[turn + 1]
    return deltas
