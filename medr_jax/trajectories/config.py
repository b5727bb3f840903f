"""How a set of trajectories is made."""

from dataclasses import dataclass, field

from medr_jax.trajectories.difficulty import DifficultyConfig
from medr_jax.trajectories.expert_config import ExpertConfig
from medr_jax.trajectories.perturb import ExplorationConfig


@dataclass(kw_only=True, slots=True)
class SynthesisConfig:
    """Seed, expert, filters and machinery; the defaults make the paper-like set."""

    seed: int = 0
    """Of the expert's choices; the questions have a seed of their own."""
    expert: ExpertConfig = field(default_factory=ExpertConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    difficulty: DifficultyConfig = field(default_factory=DifficultyConfig)
    hide_heldout: bool = True
    """Searches of training trajectories leave out documents of dev and test diseases and genes,
    so that these do not occur as distractors."""
    max_turns: int = 24
    max_words: int = 4000
    """Longer trajectories are dropped; counts the question, the model's words and the tools'."""
    duplicate_overlap: float = 0.8
    """Share of common words from which on two questions over the same ends are one too many."""
    seeds_per_job: int = 64
    questions_per_job: int = 200
    num_workers: int = 2
    """Processes; the result does not depend on it."""
    num_shards: int = 4
    """Files of a split of the dataset."""

    def __post_init__(self) -> None:
        for name in (
            "max_turns", "max_words", "seeds_per_job", "questions_per_job",
            "num_workers", "num_shards",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ValueError(f"synthesis.{name}={getattr(self, name)}: must be at least 1")
        if self.exploration.share and self.exploration.tool_switch and not self.expert.may_read:
            raise ValueError(
                "synthesis.exploration.tool_switch needs documents to read: set it to 0, or "
                "synthesis.expert.may_read=true"
            )
        if not 0 < self.duplicate_overlap <= 1:
            raise ValueError(
                f"synthesis.duplicate_overlap={self.duplicate_overlap}: give a share above 0, "
                "at most 1"
            )
