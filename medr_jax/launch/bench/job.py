"""What a contestant of the benchmark is asked to do and what it offers.

Imports neither JAX nor torch: each contestant runs in a process of its own, which brings up its
own library, perhaps under another interpreter.
"""

import dataclasses
import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medr_jax.models.config import ModelConfig

if TYPE_CHECKING:
    from medr_jax.sharding import MeshConfig

OURS = "ours"
CONTESTANTS = {
    OURS: "medr_jax.launch.bench.ours",
    "hf": "medr_jax.launch.bench.hf",
    "tunix": "medr_jax.launch.bench.tunix",
}
"""Name -> module with a function per task: ``task(job) -> Bench``."""


class BenchTask(enum.Enum):
    """``train``: optimizer steps. ``decode``: whole completions of a batch of prompts."""

    train = "train"
    decode = "decode"


class AdamW(NamedTuple):
    """The optimizer of every contestant; the gradient is clipped by its whole norm."""

    learning_rate: float = 3e-4
    b1: float = 0.9
    b2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.05
    clip_norm: float = 1.0


ADAMW = AdamW()


@dataclasses.dataclass(kw_only=True, slots=True)
class BenchConfig:
    """Shapes and how often; every contestant gets the same."""

    tasks: list[BenchTask] = dataclasses.field(
        default_factory=lambda: [BenchTask.train, BenchTask.decode]
    )
    rows: int = 8  # of a train step
    length: int = 512  # tokens of a row, one segment each, no padding
    decode_rows: int = 32
    prompt_length: int = 128
    new_tokens: int = 128  # greedy, and nothing stops early
    rounds: int = 7  # windows of each contestant; the first contestant changes each round
    train_runs: int = 2  # steps of a window
    decode_runs: int = 1  # batches of a window
    threads: int = 0  # of each contestant; 0 = as many as this process may use
    seed: int = 0
    timeout_s: float = 1800.0  # until a contestant must have answered
    hf_python: str = ""  # interpreter that has transformers and torch; "" = this one
    tunix_python: str = ""  # interpreter that has google-tunix; "" = this one

    def __post_init__(self) -> None:
        for name in (
            *("rows", "length", "decode_rows", "prompt_length", "new_tokens", "rounds"),
            *("train_runs", "decode_runs", "timeout_s"),
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"bench.{name}={getattr(self, name)}: must be above 0")
        for name in ("threads", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"bench.{name}={getattr(self, name)}: must not be negative")
        if self.length < 2 or self.prompt_length < 2:
            raise ValueError(
                f"bench.length={self.length}, prompt_length={self.prompt_length}: "
                "must be at least 2, a token and its target"
            )
        if not self.tasks:
            raise ValueError("bench.tasks=[]: name one or more of train, decode")


@dataclasses.dataclass(kw_only=True, slots=True)
class Job:
    """One contestant's part in one task."""

    contestant: str
    task: BenchTask
    model: ModelConfig
    bench: BenchConfig
    mesh: "MeshConfig | None"  # of ours; None for peers, who need no JAX to read this
    threads: int
    weights: Path | None  # Hugging Face folder that ours writes and peers read; None: no peers


@dataclasses.dataclass(kw_only=True, slots=True)
class Bench:
    """A contestant that is ready to run."""

    run: Callable[[int], Any]  # does so many steps or batches, and waits until they are done
    tokens: int  # that one of them processes (train) or writes (decode)
    facts: dict[str, Any]  # JSON: versions, device, loss before the first update, ...
    peak_memory: Callable[[], int] | None = None  # bytes on the accelerator; None = of the process
    peak_flops: Callable[[], float] | None = None  # what the device reaches now, in a matmul


def train_tokens(job: Job) -> np.ndarray:
    """(rows, length) token ids; position t predicts t + 1, so the last has no loss."""
    rng = np.random.default_rng(job.bench.seed)
    shape = (job.bench.rows, job.bench.length)
    return rng.integers(1, job.model.vocab_size, shape).astype(np.int32)


def prompts(job: Job) -> np.ndarray:
    """(decode_rows, prompt_length) token ids."""
    rng = np.random.default_rng(job.bench.seed)
    shape = (job.bench.decode_rows, job.bench.prompt_length)
    return rng.integers(1, job.model.vocab_size, shape).astype(np.int32)
