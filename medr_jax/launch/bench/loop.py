"""What the training loop costs beside the bare step: data, placing, metrics, bookkeeping.

The production loop runs as it does in training. After every window of its steps it is held up
while as many bare steps run on a batch that already lies on the device, so that whatever else
the machine does hits both alike; the ratio is taken within each round.
"""

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from medr_jax import console
from medr_jax.launch import record
from medr_jax.launch.training import prepare_sft
from medr_jax.models.transformer import num_parameters
from medr_jax.sharding import make_mesh
from medr_jax.training.loop import Batch, BatchSource, Task, train

RESULTS = "bench_loop.json"


@dataclass(kw_only=True, slots=True)
class LoopBenchConfig:
    """How often and how long."""

    rounds: int = 8  # of a window of the loop and a window of bare steps each
    window: int = 25  # steps; many more than data.prefetch, which fills up while the loop waits

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.window < 2:
            raise ValueError(
                f"loop_bench.rounds={self.rounds}, window={self.window}: at least 1 round of 2 "
                "steps"
            )


class _Interleaved:
    """The loader, which after every window of batches runs bare steps before the next one."""

    def __init__(self, task: Task, state: Any, window: int) -> None:
        self._source: BatchSource = task.source
        self._step = task.step
        # A state of its own: the step consumes what it is given.
        self._state = jax.tree.map(jnp.copy, state)
        first = task.source.get_state()
        self._placed = task.place(task.source.next_batch(state.model_params))
        task.source.set_state(first)
        self._window = window
        self._given = 0
        self._start = 0.0
        self.loop_s: list[float] = []
        self.bare_s: list[float] = []

    def next_batch(self, params: Any) -> Batch:
        """The loader's next batch; ``params`` are those after the step before it."""
        if self._given % self._window == 0:
            jax.block_until_ready(params)
            if self._given:
                self.loop_s.append(time.perf_counter() - self._start)
            self.bare_s.append(self._bare())
            self._start = time.perf_counter()
        self._given += 1
        return self._source.next_batch(params)

    def _bare(self) -> float:
        start = time.perf_counter()
        for _ in range(self._window):
            self._state, _ = self._step(self._state, self._placed)
        jax.block_until_ready(self._state)
        return time.perf_counter() - start

    def get_state(self) -> dict[str, Any]:
        """The loader's."""
        return self._source.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Never called: nothing is resumed here."""
        raise AssertionError("a benchmark starts at step 0")


def bench_loop(config: SimpleNamespace) -> Path:
    """Measures, prints each round's stall and writes them to the run's folder."""
    bench = config.loop_bench
    # A round of each to warm up, and one last step, whose batch ends the last window.
    config.training.num_steps = (bench.rounds + 1) * bench.window + 1
    config.training.eval_every = 0
    config.training.checkpoint_every = config.training.num_steps
    config.watch.spike_factor = 0.0  # what is learned does not matter here
    mesh = make_mesh(config.mesh)
    with tempfile.TemporaryDirectory() as scratch, jax.set_mesh(mesh):
        settings, made = prepare_sft(config, mesh, Path(scratch))
        source = _Interleaved(made.task, made.state, bench.window)
        made.task.source = source
        train(made.state, made.task, config.training, Path(scratch), config.watch)
    rounds = list(zip(source.loop_s[1:], source.bare_s[1:], strict=False))
    stalls = [loop / bare - 1.0 for loop, bare in rounds]
    facts = {
        "command": record.command("bench_loop"),
        "device": mesh.devices.flat[0].device_kind,
        "parameters": num_parameters(settings.model),
        "steps": bench.window * len(rounds),
        "loop_s": [loop for loop, _ in rounds],
        "bare_s": [bare for _, bare in rounds],
        "stall_median": statistics.median(stalls),
        "stall_range": [min(stalls), max(stalls)],
        **record.environment(),
    }
    path = config.run_dir / RESULTS
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    _show(facts, bench.window)
    console.say(f"results      {path}")
    return path


def _show(facts: dict[str, Any], window: int) -> None:
    loop, bare = (statistics.median(facts[name]) / window for name in ("loop_s", "bare_s"))
    low, high = facts["stall_range"]
    console.say(
        f"{facts['parameters']:,} parameters, {facts['steps']} steps of each: "
        f"{loop * 1e3:,.1f} ms a step in the loop, {bare * 1e3:,.1f} ms bare; "
        f"stall {facts['stall_median']:+.1%} (median of rounds; {low:+.1%} to {high:+.1%})"
    )
