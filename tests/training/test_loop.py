"""The loop: exact resume, stops that lose nothing, and metrics that wait for nobody."""

import functools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.training import loop
from medr_jax.training.loop import Task, TrainingConfig, train
from medr_jax.training.metrics import DEV, TRAIN, read_metrics
from medr_jax.training.pace import TIMINGS
from medr_jax.training.state import create_state, fingerprint
from medr_jax.training.step import Ratio, make_place, make_train_step
from medr_jax.training.watch import WatchConfig


class Line(nnx.Module):
    def __init__(self):
        self.weight = nnx.Param(jnp.zeros((4,)), axes=("embed",))


def loss_fn(params, batch, rng):
    """Squared error, with noise from the step's generator so that a reused one shows."""
    guess = batch["x"] @ params["weight"][...] + 0.1 * jax.random.normal(rng)
    return {"loss": Ratio(jnp.sum((guess - batch["y"]) ** 2), jnp.float32(guess.size))}


class Source:
    """Batch n is made from n alone; ``poison`` has infinite targets."""

    def __init__(self, poison: int = -1):
        self.next = 0
        self.poison = poison
        self.before_batch: Any = lambda number: None

    def next_batch(self, params):
        self.before_batch(self.next)
        x = np.random.default_rng(self.next).normal(size=(2, 4)).astype(np.float32)
        y = x.sum(axis=1) + (np.float32(np.inf) if self.next == self.poison else 0)
        self.next += 1
        return {"x": x, "y": y, "segment_ids": np.ones((2, 3), np.int32)}

    def get_state(self):
        return {"next": self.next}

    def set_state(self, state):
        self.next = state["next"]


@functools.cache
def compiled():
    """The first state and the step, compiled once for the whole module."""
    optimizer = optax.adam(0.05)
    state = create_state(nnx.state(Line()), optimizer, make_mesh(MeshConfig()), seed=1)
    return state, make_train_step(loss_fn, optimizer, lambda step: 0.05 + 0 * step, state)


def make(source: Source, identity: str = "run") -> tuple[Any, Task]:
    state, step = compiled()
    task = Task(
        step=step,
        source=source,
        place=make_place(make_mesh(MeshConfig())),
        evaluate=lambda params: {"loss": float(jnp.sum(params["weight"][...]))},
        identity={"name": identity},
        facts={"machine": "m"},
    )
    return jax.tree.map(jnp.copy, state), task


def config(**changes) -> TrainingConfig:
    settings = {"num_steps": 12, "batch_rows": 2, "eval_every": 5, "checkpoint_every": 4}
    return TrainingConfig(**{**settings, **changes})


def run(out, source: Source | None = None, identity: str = "run", **changes):
    state, task = make(source or Source(), identity)
    return train(state, task, config(**changes), out)


def curve(out) -> list[dict]:
    """The metrics file without speeds, which differ between runs."""
    return [
        {name: value for name, value in record.items() if name not in TIMINGS}
        for record in read_metrics(out / "metrics.jsonl")
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its folder and final fingerprint."""
    out = tmp_path_factory.mktemp("whole")
    return out, fingerprint(run(out))


def test_every_step_is_logged_once_in_order_and_learning_happens(whole):
    records = curve(whole[0])
    assert [r["step"] for r in records if r["kind"] == TRAIN] == list(range(1, 13))
    assert [r["step"] for r in records if r["kind"] == DEV] == [5, 10, 12]
    assert records[0]["tokens"] == 6
    losses = [r["loss"] for r in records if r["kind"] == TRAIN]
    assert sum(losses[-4:]) < sum(losses[:4])


class Killed(Exception):
    """Stands in for a kill: nothing after it runs."""


@pytest.mark.parametrize("kill_at", [3, 4, 9])
def test_a_killed_run_goes_on_exactly(whole, tmp_path, kill_at):
    source = Source()

    def die(number):
        if number == kill_at:
            raise Killed

    source.before_batch = die
    with pytest.raises(Killed):
        run(tmp_path, source)
    final = run(tmp_path)
    assert curve(tmp_path) == curve(whole[0])
    assert fingerprint(final) == whole[1]


def test_a_finished_run_is_not_trained_again(whole):
    before = curve(whole[0])
    final = run(whole[0])
    assert fingerprint(final) == whole[1] and curve(whole[0]) == before


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_saves_the_state_and_ends_with_a_line(whole, tmp_path, capsys, number, error):
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell started pytest with "&"
    source = Source()
    source.before_batch = lambda batch: batch == 6 and os.kill(os.getpid(), number)
    with pytest.raises(error) as problem:
        run(tmp_path, source)
    if error is SystemExit:
        assert problem.value.code == 143
    said = " ".join(capsys.readouterr().err.split())
    assert "stopped after step 7; the checkpoint is saved; run the same command to go on" in said
    assert signal.getsignal(signal.SIGINT) is before
    final = run(tmp_path)
    assert fingerprint(final) == whole[1]
    assert curve(tmp_path) == curve(whole[0])


def test_a_signal_in_the_last_step_leaves_a_whole_run(whole, tmp_path, capsys):
    source = Source()
    source.before_batch = lambda batch: batch == 11 and os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit) as problem:
        run(tmp_path, source)
    assert problem.value.code == 143
    assert "the training is complete and saved" in " ".join(capsys.readouterr().err.split())
    assert curve(tmp_path) == curve(whole[0])
    assert fingerprint(run(tmp_path)) == whole[1]


def test_a_second_signal_acts_at_once(tmp_path):
    def press_twice(batch):
        if batch == 6:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        source = Source()
        source.before_batch = press_twice
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, source)
    finally:
        signal.signal(signal.SIGINT, before)
    # Waiting for the step would have logged it and saved step 7.
    assert [r["step"] for r in curve(tmp_path) if r["kind"] == TRAIN][-1] < 7
    assert sorted(int(f.name) for f in (tmp_path / "checkpoints").iterdir()) == [4]


def test_a_run_outside_the_main_thread_trains_and_leaves_signals_alone(whole, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        final = pool.submit(run, tmp_path).result()
    assert fingerprint(final) == whole[1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path):
    with pytest.raises(ValueError, match=r"step 8: loss inf.*last checkpoint is of step 4") as p:
        run(tmp_path, Source(poison=7))  # step 8 is also a checkpoint step
    path = tmp_path / "bad_batch_step_8_process_0.npz"
    assert str(path) in str(p.value) and "optimizer.learning_rate" in str(p.value)
    assert np.isinf(np.load(path)["y"]).all(), "the offending batch, not the one after it"
    assert sorted(int(f.name) for f in (tmp_path / "checkpoints").iterdir()) == [4]
    final = run(tmp_path)  # with the data put right it goes on from step 4
    assert int(final.step) == 12


class Steady(Source):
    """Losses that hardly move, but for one batch."""

    def __init__(self, odd: int = -1):
        super().__init__()
        self.odd = odd

    def next_batch(self, params):
        batch = super().next_batch(params)
        offset = 1e4 if self.next - 1 == self.odd else 30.0
        return batch | {"y": np.full_like(batch["y"], offset)}


LONG = {"num_steps": 44, "eval_every": 0, "checkpoint_every": 38}


def spiking(out, odd: int, factor: float):
    state, task = make(Steady(odd))
    task.describe = lambda batch: [{"text": f"y = {batch['y'].max():.0f}"}]
    return train(state, task, config(**LONG), out, WatchConfig(spike_factor=factor))


def test_a_loss_that_leaps_stops_before_it_is_saved(tmp_path):
    with pytest.raises(ValueError, match=r"step 41: loss .*times the median of the last 32") as p:
        spiking(tmp_path, odd=40, factor=20.0)
    assert "the last checkpoint is of step 38" in str(p.value)
    assert "watch.spike_factor=20" in str(p.value)
    text = tmp_path / "bad_batch_step_41_process_0.jsonl"
    assert str(text) in str(p.value) and "y = 10000" in text.read_text()
    # What came before is remembered in the checkpoint: the run that goes on stops there again,
    # though it has seen only two losses itself.
    with pytest.raises(ValueError, match="step 41: loss"):
        spiking(tmp_path, odd=40, factor=20.0)
    assert int(spiking(tmp_path, odd=40, factor=0.0).step) == 44


@pytest.mark.parametrize("log_every", [1, 4])
def test_what_the_source_knows_of_a_step_stands_on_its_line(tmp_path, log_every):
    state, task = make(Source())
    task.report = lambda number: {"reward": number / 10}
    settings = config(num_steps=6, eval_every=0, log_every=log_every)
    train(state, task, settings, tmp_path)
    found = {record["step"]: record["reward"] for record in curve(tmp_path)}
    logged = {1: range(1, 7), 4: (4, 6)}[log_every]  # the last step always has a line
    assert found == {step: step / 10 for step in logged}


def test_a_checkpoint_of_another_run_is_refused(whole):
    with pytest.raises(ValueError, match="another run: name is 'run' there and 'other' here"):
        run(whole[0], identity="other")


def test_the_host_reads_a_step_only_after_the_next_is_on_its_way(tmp_path, monkeypatch):
    events = []
    state, task = make(Source())
    step, read = task.step, loop.host_means

    def watched_step(state, batch):
        events.append("dispatch")
        return step(state, batch)

    def watched_read(metrics):
        events.append("read")
        return read(metrics)

    task.step = watched_step
    monkeypatch.setattr(loop, "host_means", watched_read)
    train(state, task, config(num_steps=4, eval_every=0, checkpoint_every=9), tmp_path)
    # Reading a step at once would give dispatch, read, dispatch, read, ...
    assert events == ["dispatch", *["dispatch", "read"] * 3, "read"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 0}, "training.num_steps=0"),
        ({"batch_rows": 7, "grad_accumulation": 2}, "training.batch_rows=7: must be a multiple"),
        ({"eval_rows": -1}, "training.eval_rows=-1"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**changes)
