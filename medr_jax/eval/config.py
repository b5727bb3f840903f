"""Which questions are asked, and of whom."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from medr_jax.types import Question

SPLITS = ("dev", "test")
BASELINES = ("majority", "top_hit", "heuristic", "oracle")
MODEL, EMPTIED = "model", "model_emptied"
AGENTS = ("majority", "top_hit", "heuristic", EMPTIED, MODEL, "oracle")
"""Rows of the table, from the weakest comparison to the strongest."""


@dataclass(kw_only=True, slots=True)
class EvaluationConfig:
    """Which questions are asked and whom the model is compared with."""

    split: str = "test"  # "dev" for choices, "test" for the numbers that are reported
    questions_per_hop: int = 100  # of each hop count; all there are when there are fewer
    hops: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    seed: int = 0  # which questions, where there are more than asked for
    baselines: list[str] = field(default_factory=lambda: list(BASELINES))
    emptied_results: bool = True  # the same model, with every search result emptied
    num_rollouts_shown: int = 5  # whole rollouts in the report

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"evaluation.split={self.split!r}: choose one of {list(SPLITS)}")
        if self.questions_per_hop < 1:
            raise ValueError(
                f"evaluation.questions_per_hop={self.questions_per_hop}: must be at least 1"
            )
        if not self.hops or min(self.hops) < 1:
            raise ValueError(f"evaluation.hops={self.hops}: list hop counts from 1 up")
        if unknown := sorted(set(self.baselines) - set(BASELINES)):
            raise ValueError(
                f"evaluation.baselines: unknown {unknown}; choose from {list(BASELINES)}"
            )


def select_questions(questions: Iterable[Question], config: EvaluationConfig) -> list[Question]:
    """The questions that are asked: of each hop count the first by a seeded hash of the id.

    The choice does not depend on the order given. Raises ValueError when a hop count has none.
    """
    by_hop: dict[int, list[Question]] = {hop: [] for hop in sorted(set(config.hops))}
    for question in questions:
        if question.num_hops in by_hop:
            by_hop[question.num_hops].append(question)
    missing = [hop for hop, found in by_hop.items() if not found]
    if missing:
        raise ValueError(
            f"split {config.split!r} has no questions of {missing} hops; synthesize some, or "
            f"set evaluation.hops={[hop for hop in by_hop if hop not in missing]}"
        )

    def order(question: Question) -> str:
        return hashlib.sha256(f"{config.seed}:{question.question_id}".encode()).hexdigest()

    chosen = (sorted(found, key=order)[: config.questions_per_hop] for found in by_hop.values())
    return [question for part in chosen for question in part]
