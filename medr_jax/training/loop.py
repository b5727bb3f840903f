"""The loop that SFT and RL share: steps, metrics a step late, checkpoints, clean stops."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from medr_jax import console
from medr_jax.training.checkpoint import Checkpoints
from medr_jax.training.metrics import DEV, TRAIN, MetricsFile
from medr_jax.training.signals import StopRequest, stop_requests
from medr_jax.training.state import TrainState
from medr_jax.training.step import Ratio, host_means

Batch = dict[str, np.ndarray]


@dataclass(kw_only=True, slots=True)
class TrainingConfig:
    """How long, how much at once, and how often to look and to save."""

    num_steps: int = 1000
    batch_rows: int = 8  # rows of an optimizer step, over all micro-batches and devices
    grad_accumulation: int = 1  # micro-batches of an optimizer step
    seed: int = 0  # of initial weights, data order and noise
    log_every: int = 1  # steps
    eval_every: int = 250  # steps; also after the last; 0 = never
    eval_rows: int = 256  # packed rows of the dev split, evenly spread; 0 = all
    checkpoint_every: int = 250  # steps; also after the last
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        for name in (
            *("num_steps", "batch_rows", "grad_accumulation", "log_every", "checkpoint_every"),
            "keep_checkpoints",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name}={getattr(self, name)}: must be at least 1")
        for name in ("eval_every", "eval_rows", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"training.{name}={getattr(self, name)}: must not be negative")
        if self.batch_rows % self.grad_accumulation:
            raise ValueError(
                f"training.batch_rows={self.batch_rows}: must be a multiple of "
                f"grad_accumulation={self.grad_accumulation}"
            )


class BatchSource(Protocol):
    """Where batches come from: a loader, or rollouts sampled from the parameters."""

    def next_batch(self, params: Any) -> Batch:
        """Arrays with rows in front, ``segment_ids`` (0 = padding) among them."""

    def get_state(self) -> dict[str, Any]:
        """JSON that tells where the next batch comes from."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes there."""


@dataclass(kw_only=True, slots=True)
class Task:
    """What is trained: everything ``train`` needs besides its config."""

    step: Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, Ratio]]]
    source: BatchSource
    place: Callable[[Batch], dict[str, jax.Array]]  # host arrays to micro-batches on devices
    evaluate: Callable[[Any], dict[str, float]] | None = None  # parameters to metrics
    identity: dict[str, Any]  # JSON; a run that goes on from a checkpoint must have the same
    facts: dict[str, Any]  # JSON that is only noted: code, machine, mesh


def train(state: TrainState, task: Task, config: TrainingConfig, out: Path) -> TrainState:
    """Runs to ``config.num_steps`` from the newest checkpoint under ``out``, or from ``state``.

    Writes ``out/checkpoints`` and ``out/metrics.jsonl``. The state passed in is consumed.

    Raises:
        ValueError: a loss or gradient is not finite (nothing is saved; the batch is), or the
            checkpoint belongs to another run.
        KeyboardInterrupt, SystemExit: after SIGINT or SIGTERM, once the state is saved.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(out / "checkpoints", keep=config.keep_checkpoints)
    try:
        run = _Run(task, config, out, checkpoints)
        state = run.resume(state)
        with stop_requests() as stop:
            return run.steps(state, stop)
    finally:
        checkpoints.close()


class _Run:
    """One call of ``train``: the state of the loop that is not the model's."""

    def __init__(
        self, task: Task, config: TrainingConfig, out: Path, checkpoints: Checkpoints
    ) -> None:
        self._task = task
        self._config = config
        self._out = out
        self._checkpoints = checkpoints
        self._metrics = MetricsFile(out / "metrics.jsonl", writes=jax.process_index() == 0)
        self._clock = time.perf_counter()

    def resume(self, state: TrainState) -> TrainState:
        """The newest checkpoint's state, with data and metrics where they were then."""
        restored = self._checkpoints.restore(state)
        if restored is None:
            self._metrics.truncate_after(-1)
            return state
        _require_same_run(restored.meta, self._task.identity, self._checkpoints.path)
        self._task.source.set_state(restored.data)
        self._metrics.truncate_after(int(restored.state.step))
        return restored.state

    def steps(self, state: TrainState, stop: StopRequest) -> TrainState:
        """Runs the remaining steps. The host reads a step's metrics while the next one runs."""
        config = self._config
        start = int(state.step)
        pending: _Pending | None = None
        with console.bar("training", config.num_steps - start) as advance:
            for number in range(start + 1, config.num_steps + 1):
                batch = self._task.source.next_batch(state.params)
                placed = self._task.place(batch)
                state, metrics = self._task.step(state, placed)
                if pending is not None:
                    advance(1, self._read(pending))
                pending = _Pending(number, metrics, _num_tokens(placed["segment_ids"]), batch)
                if self._is_due(number) or stop.requested:
                    advance(1, self._read(pending))
                    pending = None
                    self._pause(number, state, stop)
        self._checkpoints.wait()
        if stop.requested:
            stop.leave("the training is complete and saved")
        return state

    def _is_due(self, number: int) -> bool:
        every = (self._config.eval_every, self._config.checkpoint_every)
        return number == self._config.num_steps or any(n and number % n == 0 for n in every)

    def _pause(self, number: int, state: TrainState, stop: StopRequest) -> None:
        """Evaluates and saves what is due. Evaluation comes first: a checkpoint vouches for it."""
        config, last = self._config, number == self._config.num_steps
        evaluates = self._task.evaluate is not None and config.eval_every > 0
        if evaluates and (last or number % config.eval_every == 0):
            self._metrics.append(DEV, number, self._task.evaluate(state.params))
        if last or stop.requested or number % config.checkpoint_every == 0:
            meta = {"identity": self._task.identity, "facts": self._task.facts}
            self._checkpoints.save(state, self._task.source.get_state(), meta)
        if stop.requested and not last:
            self._checkpoints.wait()
            stop.leave(f"stopped after step {number}; the checkpoint is saved")
        self._clock = time.perf_counter()

    def _read(self, pending: "_Pending") -> str:
        """Waits for a step's metrics, writes them; returns a note for the progress bar."""
        values = {"loss": 0.0} | host_means(pending.metrics)  # 0 where nothing is trained on
        self._require_finite(pending, values)
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        tokens = int(pending.num_tokens)
        values |= {"tokens": tokens, "tokens_per_s": round(tokens / seconds, 1)}
        if pending.number % self._config.log_every == 0 or pending.number == self._config.num_steps:
            self._metrics.append(TRAIN, pending.number, values)
        return f"loss {values['loss']:.3f}  {values['tokens_per_s']:,.0f} tokens/s"

    def _require_finite(self, pending: "_Pending", values: dict[str, float]) -> None:
        if math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"]):
            return
        path = self._out / f"bad_batch_step_{pending.number}_process_{jax.process_index()}.npz"
        np.savez(path, **pending.batch)
        saved = self._checkpoints.steps()
        raise ValueError(
            f"step {pending.number}: loss {values['loss']}, gradient norm {values['grad_norm']}; "
            f"the batch is in {path}, the last checkpoint is of step {saved[-1] if saved else 0}; "
            "lower optimizer.learning_rate or raise optimizer.warmup_steps"
        )


@dataclass(slots=True)
class _Pending:
    """A dispatched step whose metrics nobody has waited for yet."""

    number: int
    metrics: dict[str, Ratio]
    num_tokens: jax.Array  # () of the whole batch, padding left out
    batch: Batch  # this process's part


@jax.jit
def _num_tokens(segment_ids: jax.Array) -> jax.Array:
    return jnp.count_nonzero(segment_ids)


def _require_same_run(meta: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    found = meta["identity"]
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise ValueError(
                f"{path}: belongs to another run: {name} is {found.get(name)!r} there and "
                f"{wanted.get(name)!r} here; use another output folder or delete this one"
            )
