"""The arms of the grid: what each changes, in training and in evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Changes = Mapping[str, Mapping[str, Any]]
"""Config group -> field -> value; a mapping as a value changes a nested config."""


class Arm(NamedTuple):
    """One arm. ``train`` changes what the model learns from, ``act`` what it acts with too."""

    label: str
    train: Changes = {}
    act: Changes = {}
    no_training: bool = False  # a single optimizer step: the untrained model
    reason: str = ""  # why it cannot be run here; such an arm is a row of "not run"


_READS = {"may_read": True, "read_on_the_way": 0.1, "read_before_answer": 0.4}

ARMS: dict[str, Arm] = {
    "main": Arm("SFT on sparsely annotated (rare) seeds, longest chain, search only"),
    "no_sft": Arm("no SFT (one optimizer step)", no_training=True),
    "plain_retriever": Arm("plain BM25 in place of the private retriever's ranking", act={
        "index": dict.fromkeys(("title_boost", "synonym_boost", "name_boost", "item_boost"), 0.0)
        | {"stages": False}
    }),
    "common_seeds": Arm("common seeds", train={"questions": {"seeds": "common"}}),
    "augmented_chain": Arm(
        "augmented chains", train={"questions": {"strategy_weights": {"augmented_chain": 1.0}}}
    ),
    "max_chain": Arm("max chains", train={"questions": {"strategy_weights": {"max_chain": 1.0}}}),
    "more_tools": Arm(
        "search and reading documents (the main arm is the one without tool diversity)",
        train={"synthesis": {"expert": _READS}, "data": {"row_length": 768}},
        act={
            "tools": {"read_words": 60},
            "agent": {"max_total_tokens": 768, "max_turns": 12},
            "sampling": {"max_length": 768},
        },
    ),
    "no_guidance": Arm(
        "no masked guidance",
        reason="guidance is told to an LLM teacher, and the tiny model's teacher is a scripted "
        "expert; with an endpoint compare teach with teach teacher=exploration, which has none",
    ),
}  # fmt: skip


@dataclass(kw_only=True, slots=True)
class GridConfig:
    """Which arms, with which seeds, and which values of λ the ranking is compared at."""

    arms: list[str] = field(default_factory=lambda: list(ARMS))  # worked on in this order
    seeds: list[int] = field(default_factory=lambda: [0])  # of every arm
    main_seeds: list[int] = field(default_factory=lambda: [0, 1, 2])  # of the main arm
    relevance_weights: list[float] = field(default_factory=lambda: [1.0, 0.4, 0.0])  # λ; [] = none
    study: str = ""  # study.json of rl_study, for the RL rows
    diagnosis: str = ""  # diagnose.json of bench_diagnose, for the calibration figure

    def __post_init__(self) -> None:
        if unknown := [name for name in self.arms if name not in ARMS]:
            raise ValueError(f"grid.arms: unknown {unknown}; choose from {list(ARMS)}")
        if "main" not in self.arms:
            raise ValueError(f"grid.arms={self.arms}: keep main, the others are compared with it")
        for name in ("arms", "seeds", "main_seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"grid.{name}={values}: list one or more, each once")
        if not all(0 <= weight <= 1 for weight in self.relevance_weights):
            raise ValueError(
                f"grid.relevance_weights={self.relevance_weights}: give numbers from 0 to 1"
            )

    def jobs(self) -> list[tuple[str, int]]:
        """(arm, seed) in the order of work: every arm's first seed, then the main arm's others."""
        first = [(arm, self.seeds[0]) for arm in self.arms]
        later = [("main", seed) for seed in self.main_seeds]
        later += [(arm, seed) for seed in self.seeds[1:] for arm in self.arms]
        return list(dict.fromkeys(first + later))
