"""One device and meshes of eight forced host devices give the same model, loss and tokens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("on_eight_devices.py")


def run(*arguments: str) -> dict:
    root = SCRIPT.parents[2]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=1800,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def assert_agree(cases: dict[str, dict[str, float]]) -> None:
    for name, case in cases.items():
        assert case["loss"] <= 1e-5, name
        assert case["gradients"] <= 1e-4, name


@pytest.fixture(scope="module")
def report():
    return run()


def test_parameters_are_born_equal(report):
    assert report["params"] <= 1e-6


def test_parameters_are_really_split(report):
    # embedding (64, 32): vocabulary over tensor, embedding dimension over fsdp
    assert report["places"] == {"query": 8, "shard": [32, 16]}


def test_loss_and_gradients_agree(report):
    # All axes split; and key heads that are fewer than the devices.
    assert len(report["cases"]) == 2
    assert_agree(report["cases"])


def test_wanted_tokens_stay_on_their_device(report):
    assert report["talk"] == ["all-reduce"]  # of gradients and one count; no token moves


def test_the_engine_samples_the_same(report):
    assert report["tokens_equal"]
    assert report["logprobs"] <= 1e-4


@pytest.mark.slow
def test_rows_split_over_devices_and_other_meshes():
    # Heads or queries split inside attention, no heads to split, a kernel inside.
    others = run("all")
    assert len(others["cases"]) == 5
    assert_agree(others["cases"])
    # One row on eight devices; what does not shrink is keys and values of one layer.
    assert others["memory"]["8"] < others["memory"]["1"] / 3


def test_files_are_loaded_split_and_saved_whole(report):
    # query (layers 2, D 32, N 4, H 8): the model dimension over fsdp, heads over tensor
    assert report["loaded"] == [0.0, [2, 16, 2, 8]]


@pytest.mark.slow
def test_rollouts_have_the_trainer_s_logprobs_on_every_mesh():
    report = run("rollouts")
    assert len(report) == 4
    for name, mesh in report.items():
        assert mesh["turns"] == 4, name
        assert mesh["tokens_equal"], name
        assert mesh["logprobs"] <= 1e-4, name
