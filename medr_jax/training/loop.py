"""The loop that SFT and RL share: steps, metrics a step late, checkpoints, clean stops."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from medr_jax import console, jsonl
from medr_jax.training.checkpoint import Checkpoints
from medr_jax.training.metrics import DEV, TRAIN, MetricsFile
from medr_jax.training.pace import Pace, note
from medr_jax.training.peers import Peers
from medr_jax.training.signals import StopRequest, stop_requests
from medr_jax.training.spikes import LossHistory
from medr_jax.training.state import TrainState
from medr_jax.training.step import Ratio, host_means, num_used
from medr_jax.training.watch import Tracker, WatchConfig, open_trackers

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
    report: Callable[[int], dict[str, float]] | None = None  # what the source knows of a step
    identity: dict[str, Any]  # JSON; a run that goes on from a checkpoint must have the same
    facts: dict[str, Any]  # JSON that is only noted: code, machine, mesh
    flops_per_token: float = 0.0  # of a step, padding left out; 0 = unknown
    peak_flops: float = 0.0  # FLOP/s of all devices together; 0 = unknown
    describe: Callable[[Batch], Iterable[dict[str, Any]]] | None = None  # a batch as JSON lines


def train(
    state: TrainState,
    task: Task,
    config: TrainingConfig,
    out: Path,
    watch: WatchConfig | None = None,
) -> TrainState:
    """Runs to ``config.num_steps`` from the newest checkpoint under ``out``, or from ``state``.

    Writes ``out/checkpoints`` and ``out/metrics.jsonl``. The state passed in is consumed.

    Raises:
        ValueError: a loss or gradient is not finite, or a loss a spike (nothing is saved; the
            batch is), or the checkpoint belongs to another run.
        KeyboardInterrupt, SystemExit: after SIGINT or SIGTERM, once the state is saved.
    """
    watch = watch or WatchConfig()
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(out / "checkpoints", keep=config.keep_checkpoints)
    run = _Run(task, config, out, checkpoints, watch)
    try:
        with run.peers.watched():
            state = run.resume(state)
            with stop_requests() as stop:
                return run.steps(state, stop)
    finally:
        run.close()


class _Run:
    """One call of ``train``: the state of the loop that is not the model's."""

    def __init__(
        self,
        task: Task,
        config: TrainingConfig,
        out: Path,
        checkpoints: Checkpoints,
        watch: WatchConfig,
    ) -> None:
        self.peers = Peers(watch.peer_timeout_s)
        self._task = task
        self._config = config
        self._out = out
        self._checkpoints = checkpoints
        self._watch = watch
        self._metrics = MetricsFile(out / "metrics.jsonl", writes=jax.process_index() == 0)
        self._trackers: list[Tracker] = []
        self._losses = LossHistory(watch.spike_factor)
        self._pace = Pace(config.num_steps, task.flops_per_token, task.peak_flops)

    def close(self) -> None:
        """Waits for what is being written."""
        self._checkpoints.close()
        for tracker in self._trackers:
            tracker.close()

    def resume(self, state: TrainState) -> TrainState:
        """The newest checkpoint's state, with data and metrics where they were then."""
        restored = self._checkpoints.restore(state, self._require_same_run)
        step = -1
        if restored is not None:
            self._task.source.set_state(restored.data)
            self._losses.set_state(restored.meta["recent_losses"])
            state = restored.state
            step = int(state.step)
        self._metrics.truncate_after(step)
        if jax.process_index() == 0:
            self._trackers = open_trackers(
                self._watch, self._out, after_step=step, identity=self._task.identity
            )
        return state

    def _require_same_run(self, meta: dict[str, Any]) -> None:
        found, wanted = meta["identity"], self._task.identity
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise ValueError(
                    f"{self._checkpoints.path}: belongs to another run: {name} is "
                    f"{found.get(name)!r} there and {wanted.get(name)!r} here; use another output "
                    "folder or delete this one"
                )

    def steps(self, state: TrainState, stop: StopRequest) -> TrainState:
        """Runs the remaining steps. The host reads a step's metrics while the next one runs."""
        config = self._config
        start = int(state.step)
        pending: _Pending | None = None
        with console.bar("training", config.num_steps - start) as advance:
            for number in range(start + 1, config.num_steps + 1):
                batch = self._task.source.next_batch(state.model_params)
                placed = self._task.place(batch)
                state, metrics = self._task.step(state, placed)
                if pending is not None:
                    advance(1, self._read(pending, stop))
                segment_ids = placed["segment_ids"]
                counts, vote = _counts(segment_ids), self.peers.vote(stop.signal_number)
                pending = _Pending(number, metrics, counts, vote, batch)
                if self.peers.alone:
                    stop.agreed = stop.signal_number
                if self._is_due(number) or stop.agreed:
                    advance(1, self._read(pending, stop))
                    pending = None
                    self._pause(number, state, stop)
        self._checkpoints.wait()
        if stop.agreed:
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
            self._log(DEV, number, self._task.evaluate(state.model_params))
        if last or stop.agreed or number % config.checkpoint_every == 0:
            meta = {
                "identity": self._task.identity,
                "facts": self._task.facts,
                "recent_losses": self._losses.get_state(),
            }
            self._checkpoints.save(state, self._task.source.get_state(), meta)
        if stop.agreed and not last:
            self._checkpoints.wait()
            stop.leave(f"stopped after step {number}; the checkpoint is saved")
        self._pace.restart()
        self.peers.progress(f"the pause after step {number}")

    def _read(self, pending: "_Pending", stop: StopRequest) -> str:
        """Waits for a step's metrics, writes them; returns a note for the progress bar."""
        values = {"loss": 0.0} | host_means(pending.metrics)  # 0 where nothing is trained on
        tokens, size = map(int, pending.counts)
        stop.agreed = int(np.max(np.asarray(pending.vote)))
        self.peers.progress(f"step {pending.number}")
        self._require_sound(pending, values)
        values |= {"tokens": tokens, "padding_share": round(1 - tokens / size, 4)}
        values |= self._pace.step(pending.number, tokens)
        if self._task.report is not None:
            values |= self._task.report(pending.number)
        if pending.number % self._config.log_every == 0 or pending.number == self._config.num_steps:
            self._log(TRAIN, pending.number, values)
        return note(values)

    def _log(self, kind: str, step: int, values: dict[str, float]) -> None:
        self._metrics.append(kind, step, values)
        for tracker in self._trackers:
            tracker.append(kind, step, values)

    def _require_sound(self, pending: "_Pending", values: dict[str, float]) -> None:
        problem = self._losses.problem(values["loss"], values["grad_norm"])
        if not problem:
            return
        name = f"bad_batch_step_{pending.number}_process_{jax.process_index()}"
        path = self._out / f"{name}.npz"
        np.savez(path, **pending.batch)
        shown = str(path)
        if self._task.describe is not None:
            text = self._out / f"{name}.jsonl"
            jsonl.write(text, self._task.describe(pending.batch))
            shown += f", as text in {text}"
        saved = self._checkpoints.steps()
        raise ValueError(
            f"step {pending.number}: {problem}; the batch is in {shown}; the last checkpoint is "
            f"of step {saved[-1] if saved else 0}; lower optimizer.learning_rate or raise "
            "optimizer.warmup_steps"
        )


@dataclass(slots=True)
class _Pending:
    """A dispatched step whose metrics nobody has waited for yet."""

    number: int
    metrics: dict[str, Ratio]
    counts: tuple[jax.Array, jax.Array]  # tokens of the whole batch, without and with padding
    vote: jax.Array | int  # the signal to stop that any process got, 0 = none
    batch: Batch  # this process's part


@jax.jit
def _counts(segment_ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Micro-batches that are all padding are no work, and so do not count as padding."""
    size = num_used({"segment_ids": segment_ids}) * segment_ids[0].size
    return jnp.count_nonzero(segment_ids), size
