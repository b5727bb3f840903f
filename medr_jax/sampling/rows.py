"""An open rollout as the host sees it, and what the engine counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from medr_jax.agent.loop import Sampled
from medr_jax.sampling.slots import Prompt


@dataclass(slots=True)
class EngineStats:
    """What the engine did so far, in tokens."""

    sampled: int = 0
    decode_places: int = 0  # rows times steps of all decode dispatches, idle rows included
    prefilled: int = 0
    prefill_places: int = 0  # rows times widths of all prefill dispatches, padding included
    shared: int = 0  # tokens of prompts copied from another rollout
    moved: int = 0  # rollouts that changed places
    dispatches: int = 0

    @property
    def occupancy(self) -> float:
        """Share of the decoded rows that sampled a token."""
        return self.sampled / max(self.decode_places, 1)


@dataclass(kw_only=True, slots=True)
class Row:
    """An open rollout."""

    part: int
    slot: int
    words: np.ndarray
    fresh: bool = True  # the slot is still as the last rollout left it
    prompt: Prompt = ()
    num_cached: int = 0
    unfed: list[int] = field(default_factory=list)  # tokens of its history not in the cache yet
    running: bool = False
    turn: int = 0
    remaining: int = 0
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    result: Sampled | None = None


def by_part(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Rows of each part that has some, in the order given."""
    parts: dict[int, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    return parts


def most_in_a_part(rows: Iterable[Row]) -> int:
    """Rows of the part that has most of them."""
    return max(map(len, by_part(rows).values()), default=0)
