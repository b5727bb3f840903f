"""Several processes sample and learn together what one does alone."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medr_jax.rl.pace import TIMINGS
from medr_jax.rl.rollout import read_dump
from medr_jax.training.metrics import read_metrics

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("run_rl.py")
ROOT = SCRIPT.parents[2]
ROUNDS = {
    "rl": {"num_minibatches": 3, "sampling_rounds": 2, "num_epochs": 1},
    "training": {"num_steps": 5, "eval_every": 2, "checkpoint_every": 2},
    "dev": True,
}
ALONE = {"one device": {}, "one device, rounds": ROUNDS}
TOGETHER = {
    "across processes": {"mesh": {"fsdp": 2, "tensor": 2}, "across": True},
    "heads across processes": {"mesh": {"data": 2, "tensor": 2}, "across": True},
    "rows": {"mesh": {"data": 2, "tensor": 2}},
    "gathered": {"mesh": {"fsdp": 4}},
    "as trained": {"mesh": {"fsdp": 4}, "sampling": {"weights": "as_trained"}},
    "tools beside decoding": {"mesh": {"fsdp": 4}, "rl": {"overlap_tools": True}},
}
SETS = {**TOGETHER, "rounds": {**ROUNDS, "mesh": {"fsdp": 4}}}


def start(out: Path, runs: dict, devices: int, processes: dict | None = None):
    # Unoptimised code is as exact, and these runs spend their time compiling.
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    arguments = [str(out), json.dumps(runs), json.dumps(processes or {})]
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("rl")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    common = {"coordinator_address": address, "num_processes": 2}
    started = [start(out, ALONE, 1)]
    started += [start(out, SETS, 2, {**common, "process_id": number}) for number in range(2)]
    said = [process.communicate(timeout=1200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], "\n".join(said)[-5000:]
    return out


def curve(out: Path) -> list[dict]:
    return [
        {name: value for name, value in record.items() if name not in TIMINGS}
        for record in read_metrics(out / "metrics.jsonl")
    ]


@pytest.mark.parametrize("name", TOGETHER)
def test_two_processes_do_what_one_does(runs, name):
    same_rollouts(runs / "one device", runs / name, iterations=4)
    assert len(same_curve(runs / "one device", runs / name)) == 4


def test_rounds_minibatches_and_evaluations_too(runs):
    alone = "one device, rounds"
    same_rollouts(runs / alone, runs / "rounds", iterations=2)
    records = same_curve(runs / alone, runs / "rounds")
    assert [record["kind"] for record in records].count("dev") == 3


def same_rollouts(alone: Path, together: Path, iterations: int) -> None:
    for iteration in range(iterations):
        one, two = (
            list(read_dump(out / "rollouts" / f"{iteration:06d}.jsonl"))
            for out in (alone, together)
        )
        assert [r.rollout_id for r in one] == [r.rollout_id for r in two]
        for mine, theirs in zip(one, two, strict=True):
            np.testing.assert_array_equal(mine.token_ids, theirs.token_ids)
            np.testing.assert_allclose(mine.logprobs, theirs.logprobs, atol=1e-4)
            assert mine.terms == theirs.terms


def same_curve(alone: Path, together: Path) -> list[dict]:
    one, two = curve(alone), curve(together)
    assert len(one) == len(two)
    for mine, theirs in zip(one, two, strict=True):
        assert mine.keys() == theirs.keys()
        if mine["kind"] == "dev":
            assert mine == theirs
            continue
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-5)
        assert theirs["grad_norm"] == pytest.approx(mine["grad_norm"], rel=1e-4)
        assert theirs.get("sampler/gap_max", 0.0) < 1e-4
        assert theirs.get("group/dead") == mine.get("group/dead")
        assert theirs["tokens"] == mine["tokens"]
    return one


def test_the_rollouts_have_several_turns_and_end_at_different_times(runs):
    rollouts = list(read_dump(runs / "one device" / "rollouts" / "000000.jsonl"))
    assert max(int(rollout.turns.max()) + 1 for rollout in rollouts) >= 3
    assert len({len(rollout.token_ids) for rollout in rollouts}) > 3
