"""One device and a 2x2x2 mesh of forced host devices give the same model, loss and tokens."""

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
    assert report["loss"] <= 1e-5
    assert report["gradients"] <= 1e-4


def test_the_engine_samples_the_same(report):
    assert report["tokens_equal"]
    assert report["logprobs"] <= 1e-4


def test_files_are_loaded_split_and_saved_whole(report):
    # query (layers 2, D 32, N 4, H 8): the model dimension over fsdp, heads over tensor
    assert report["loaded"] == [0.0, [2, 16, 2, 8]]
