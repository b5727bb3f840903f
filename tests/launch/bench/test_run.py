"""The benchmark at a minute size, its refusals, and that contestants compute the same."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from medr_jax.launch.bench import run
from medr_jax.launch.bench.job import BenchConfig, BenchTask, Job
from medr_jax.models.config import ModelConfig
from medr_jax.sharding import MeshConfig

MODEL = ModelConfig(
    vocab_size=64,
    max_length=32,
    num_layers=1,
    embed_dim=16,
    num_heads=2,
    num_kv_heads=1,
    head_dim=8,
    mlp_dim=32,
    qkv_bias=True,
    scan_layers=False,
)
MESH = MeshConfig()
BENCH = BenchConfig(
    rows=2,
    length=16,
    decode_rows=2,
    prompt_length=6,
    new_tokens=4,
    rounds=2,
    train_runs=1,
    threads=1,
)


def measure(tmp_path, tasks, mesh=MESH):
    bench = dataclasses.replace(BENCH, tasks=tasks)
    run.bench_model(
        SimpleNamespace(peers=[], model=MODEL, bench=bench, mesh=mesh, run_dir=tmp_path)
    )
    return json.loads((tmp_path / "bench.json").read_text())


def test_train_writes_what_it_measured(tmp_path, capsys):
    two = MeshConfig(data=-1, cpu_devices=2)
    written = measure(tmp_path, [BenchTask.train], two)
    ours = written["results"]["train"]["ours"]
    assert len(ours["windows"]) == 2
    assert ours["tokens"] == 32
    assert ours["devices"] == 2
    row = written["summary"]["train"]["ours"]
    assert row["tokens_per_s"] > 0
    assert row["mfu"] > 0
    assert (tmp_path / "bench.md").read_text() in capsys.readouterr().out


@pytest.mark.slow
def test_decode_writes_as_many_tokens_as_asked(tmp_path):
    ours = measure(tmp_path, [BenchTask.decode])["results"]["decode"]["ours"]
    assert ours["tokens"] == 2 * 4
    assert len(ours["first"]) == 4


@pytest.mark.parametrize(
    ("peers", "changes", "message"),
    [
        (["torchtune"], {}, "torchtune unknown; use"),
        (["hf"], {"short_conv_width": 4}, "short_conv_width=4"),
        ([], {"vocab_size": 0}, "model.vocab_size=0"),
    ],
)
def test_what_cannot_be_compared_is_refused(peers, changes, message):
    with pytest.raises(ValueError, match=message):
        run.check_peers(peers, dataclasses.replace(MODEL, **changes))


@pytest.mark.slow
def test_a_peer_that_cannot_start_is_named_with_its_log(tmp_path):
    bench = dataclasses.replace(BENCH, tasks=[BenchTask.train], tunix_python="/bin/false")
    with pytest.raises(ValueError, match=r"tunix: the process ended.*train-tunix.log"):
        run.run_task(BenchTask.train, ["tunix"], MODEL, bench, MESH, tmp_path)


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    bench = dataclasses.replace(BENCH, hf_python=str(tmp_path / "python"))
    with pytest.raises(ValueError, match=r"bench.hf_python=.*no such program"):
        run.start("hf", BenchTask.train, MODEL, bench, MESH, tmp_path, tmp_path, True)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="bench.rounds=0"):
        BenchConfig(rounds=0)


@pytest.mark.parity
def test_hf_starts_from_the_same_loss_and_writes_the_same_tokens(tmp_path):
    pytest.importorskip("torch")
    from medr_jax.launch.bench import hf, ours

    def job(contestant, task):
        return Job(
            contestant=contestant,
            task=task,
            model=MODEL,
            bench=BENCH,
            mesh=MESH,
            threads=1,
            weights=tmp_path / task.value,
        )

    our_step, their_step = (
        ours.train(job("ours", BenchTask.train)),
        hf.train(job("hf", BenchTask.train)),
    )
    assert our_step.tokens == their_step.tokens
    # The second call's first loss comes after two updates: they also train alike.
    np.testing.assert_allclose(our_step.run(2), their_step.run(2), rtol=1e-4)
    np.testing.assert_allclose(our_step.run(1), their_step.run(1), rtol=1e-4)
    our_turn, their_turn = (
        ours.decode(job("ours", BenchTask.decode)),
        hf.decode(job("hf", BenchTask.decode)),
    )
    assert our_turn.run(1) == their_turn.run(1)
