"""What is measured of the rollout engine."""

import dataclasses
import enum


class Workload(enum.Enum):
    """``questions``: a trained model, groups of rollouts, the live tools of ``config``.

    ``long``: many turns, long results, slow tools; the lengths are scripted, so that it does
    not matter what the model says.
    """

    questions = "questions"
    long = "long"


class Loop(enum.Enum):
    """Batch loops to measure beside the engine; ``sharing`` computes equal histories once."""

    by_turns = "by turns"
    sharing = "by turns, sharing"


@dataclasses.dataclass(kw_only=True, slots=True)
class RolloutBenchConfig:
    """Sizes of the workloads; times in seconds."""

    workloads: list[Workload] = dataclasses.field(default_factory=lambda: list(Workload))
    against: list[Loop] = dataclasses.field(default_factory=lambda: list(Loop))
    rounds: int = 3  # of every contestant, in turns
    hang: bool = True  # whether ``long`` is run with a call that hangs, too
    group_size: int = 8  # rollouts of a prompt
    num_questions: int = 24
    num_prompts: int = 4  # of ``long``, as all below
    prompt_tokens: int = 128
    num_turns: int = 8
    result_tokens: int = 256
    completion_tokens: int = 32  # on average; uniform from half of it to half more
    latency_s: float = 0.3  # median of a lognormal
    latency_sigma: float = 0.5  # of its logarithm: one call in twenty takes over 0.68 s
    num_workers: int = 64  # tool calls at the same time
    timeout_s: float = 5.0  # of a call; one that hangs takes as long
    decode_rows: list[int] = dataclasses.field(default_factory=lambda: [8, 16, 24, 32])
    prefill_rows: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        free = ("workloads", "against", "hang", "seed", "decode_rows")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in free and value <= 0:
                raise ValueError(f"rollouts.{field.name}={value}: must be above 0")
        for name, kind in (("workloads", Workload), ("against", Loop)):
            if not getattr(self, name):
                known = ", ".join(one.name for one in kind)
                raise ValueError(f"rollouts.{name}=[]: name one or more of {known}")

    @property
    def num_long(self) -> int:
        """Rollouts of ``long``."""
        return self.num_prompts * self.group_size

    @property
    def max_length(self) -> int:
        """Tokens of the longest possible rollout of ``long``."""
        most = self.completion_tokens + self.completion_tokens // 2
        return self.prompt_tokens + self.num_turns * (self.result_tokens + most)
