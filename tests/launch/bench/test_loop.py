"""The loop's benchmark: windows alternate, and the run that is measured is the real one."""

import json
import sys
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.launch.bench import loop
from medr_jax.launch.bench.loop import LoopBenchConfig, _Interleaved
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.task import make_settings, make_task
from medr_jax.sharding import MeshConfig
from medr_jax.testing.models import small_config
from medr_jax.testing.training import invented_dataset, invented_tokenizer
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.watch import WatchConfig


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


@pytest.mark.slow
def test_the_real_loop_is_measured_and_the_figures_written(tmp_path, monkeypatch):
    data = TrajectoryData(
        path=invented_dataset(tmp_path / "dataset", train=32, dev=4, hits=1),
        tokenizer=invented_tokenizer(),
        cache_dir=tmp_path / "packed",
    )
    config = SimpleNamespace(
        loop_bench=LoopBenchConfig(rounds=2, window=3), training=TrainingConfig(batch_rows=2),
        mesh=MeshConfig(), watch=WatchConfig(), run_dir=tmp_path,
    )  # fmt: skip

    def prepare(config, mesh, out):
        settings = make_settings(
            data, small_config(vocab_size=0, max_length=128), mesh, OptimizerConfig(),
            DataConfig(row_length=128), config.training, weights=WeightsConfig(),
            weights_hash="", lora=LoraConfig(), watch=config.watch,
        )  # fmt: skip
        return settings, make_task(settings, data, out, {})

    monkeypatch.setattr(loop, "prepare_sft", prepare)
    monkeypatch.setattr(sys, "argv", ["bench_loop", "experiment=quickstart", "paths.runs=/x"])
    facts = json.loads(loop.bench_loop(config).read_text())
    assert facts["command"] == "python -m experiments.bench_loop experiment=quickstart"
    assert facts["steps"] == 6 and len(facts["loop_s"]) == len(facts["bare_s"]) == 2
    low, high = facts["stall_range"]
    assert low <= facts["stall_median"] <= high and min(facts["loop_s"]) > 0


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="loop_bench.rounds=0"):
        LoopBenchConfig(rounds=0)
