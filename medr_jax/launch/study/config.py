"""The arms of the study, what they are compared with, and how large everything is."""

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

from medr_jax.eval.config import SPLITS


class Data(enum.Enum):
    """The demonstrations that an arm's SFT learns from."""

    explored = "explored"  # of ``config.synthesis``: some have mistakes
    filtered = "filtered"  # the same without those that have mistakes
    right = "right"  # those of them that end with the right answer, by whatever way
    clean = "clean"  # of ``config.clean_synthesis``
    seen = "seen"  # the clean ones whose chain names nothing of a family of diseases
    unseen = "unseen"  # the clean ones whose chain names diseases and genes of families only


class Arm(NamedTuple):
    """How a policy comes about. Without ``rl`` and ``more_sft`` it is the SFT policy itself."""

    label: str
    data: Data = Data.explored
    rl: bool = False
    more_sft: bool = False  # SFT that is longer by what RL costs
    rewards: tuple[tuple[str, object], ...] = ()  # changes of ``config.rl.rewards``
    asks: Data | None = None  # RL asks the questions of these; None: of its dataset, as SFT did


TASK_ONLY = (("expert_weight", 0.0), ("efficiency_weight", 0.0))

ARMS: dict[str, Arm] = {
    "sft": Arm("SFT on explored demonstrations"),
    "rl": Arm("RL from it, all reward terms", rl=True),
    "more_sft": Arm("more SFT on the same data", more_sft=True),
    "filtered_sft": Arm("SFT without flawed demonstrations", Data.filtered, more_sft=True),
    "right_sft": Arm("SFT on demonstrations with the right answer", Data.right, more_sft=True),
    "clean_sft": Arm("SFT on clean demonstrations", Data.clean),
    "clean_rl": Arm("RL from clean SFT", Data.clean, rl=True),
    "seen_sft": Arm("SFT on clean demonstrations, families kept back", Data.seen),
    "unseen_rl": Arm("RL from that SFT, on those families", Data.seen, rl=True, asks=Data.unseen),
    "task": Arm("RL, task only", rl=True, rewards=TASK_ONLY),
    "task_expert": Arm("RL, task + expert", rl=True, rewards=(("efficiency_weight", 0.0),)),
    "task_efficiency": Arm("RL, task + efficiency", rl=True, rewards=(("expert_weight", 0.0),)),
    "ungated": Arm("RL, all terms, no gate", rl=True, rewards=(("outcome_gate", False),)),
}

COMPARISONS = (
    ("rl", "sft"),
    ("rl", "more_sft"),
    ("rl", "filtered_sft"),
    ("rl", "right_sft"),
    ("clean_rl", "clean_sft"),
    ("unseen_rl", "seen_sft"),
    ("unseen_rl", "clean_sft"),
    ("unseen_rl", "clean_rl"),
    ("task", "sft"),
    ("task_expert", "task"),
    ("task_efficiency", "task"),
    ("rl", "task"),
    ("rl", "ungated"),
)
"""(arm, what it is compared with); both are asked the same questions."""


@dataclass(kw_only=True, slots=True)
class StudyConfig:
    """Which arms, how often, how much SFT an RL run is worth, and what is asked."""

    arms: list[str] = field(default_factory=lambda: list(ARMS))  # worked on in this order
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])  # of SFT and of RL
    extra_sft_steps: int = 1500  # what an RL run of 40 iterations costs in CPU time, and more
    splits: list[str] = field(default_factory=lambda: ["test", "dev"])  # of the held-out questions
    records: list[str] = field(default_factory=list)  # folders of arms finished on other machines
    train: bool = True  # False: tables of what has a record; the rest reads "not run"
    samples: int = 4  # rollouts of a question for sampled pass@1, beside the greedy one

    def __post_init__(self) -> None:
        if unknown := [name for name in self.arms if name not in ARMS]:
            raise ValueError(f"study.arms: unknown {unknown}; choose from {list(ARMS)}")
        if unknown := [name for name in self.splits if name not in SPLITS]:
            raise ValueError(f"study.splits: unknown {unknown}; choose from {list(SPLITS)}")
        for name in ("arms", "seeds", "splits"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"study.{name}={values}: list one or more, each once")
        for name in ("extra_sft_steps", "samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"study.{name}={getattr(self, name)}: must be at least 1")
