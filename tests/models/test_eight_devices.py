"""One device and meshes of eight forced host devices give the same model, loss and tokens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("on_eight_devices.py")


@pytest.fixture(scope="module")
def report():
    root = SCRIPT.parents[2]
    run = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=600,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def test_parameters_are_born_equal(report):
    assert report["params"] <= 1e-6


def test_parameters_are_really_split(report):
    # embedding (64, 32): vocabulary over tensor, embedding dimension over fsdp
    assert report["places"] == {"query": 8, "shard": [32, 16]}


def test_loss_and_gradients_agree(report):
    # Batch, heads and rows split in every way; key heads repeated; a kernel inside.
    assert len(report["cases"]) == 7
    for name, case in report["cases"].items():
        assert case["loss"] <= 1e-5, name
        assert case["gradients"] <= 1e-4, name


def test_splitting_rows_splits_their_memory(report):
    # Eight devices: an eighth, but for keys, values and parameter gradients of one layer.
    assert report["memory"]["8"] < report["memory"]["1"] / 4


def test_the_engine_samples_the_same(report):
    assert report["tokens_equal"]
    assert report["logprobs"] <= 1e-4
