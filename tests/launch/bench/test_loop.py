"""The loop's benchmark: windows alternate, and the run that is measured is the real one."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.launch.bench import loop
from medr_jax.launch.bench.loop import LoopBenchConfig, _Interleaved


class Source:
    """Batches that are counted."""

    def __init__(self):
        self.given = 0

    def next_batch(self, params):
        self.given += 1
        return {"n": np.array([self.given])}

    def get_state(self):
        return {"given": self.given}

    def set_state(self, state):
        self.given = state["given"]


class State(SimpleNamespace):
    """Only what the wrapper asks of a state."""


def test_a_window_of_bare_steps_stands_before_each_window_of_the_loop(monkeypatch):
    bare = []
    seconds = iter(range(1000))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(seconds)))
    monkeypatch.setattr(loop.jax, "block_until_ready", lambda tree: tree)
    monkeypatch.setattr(loop.jax.tree, "map", lambda function, state: state)
    source = Source()
    task = SimpleNamespace(
        source=source,
        place=lambda batch: {"n": jnp.asarray(batch["n"])},
        step=lambda state, batch: (bare.append(source.given) or state, {}),
    )
    wrapped = _Interleaved(task, State(model_params=None), window=3)
    assert source.given == 0, "the batch that bare steps run on is given to the loop again"
    for _ in range(7):
        wrapped.next_batch(None)
    assert bare == [0] * 3 + [3] * 3 + [6] * 3
    assert len(wrapped.bare_s) == 3 and len(wrapped.loop_s) == 2


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="loop_bench.rounds=0"):
        LoopBenchConfig(rounds=0)
