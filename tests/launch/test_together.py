"""Two processes build a stage at once, or neither does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from types import SimpleNamespace
from medr_jax.training.distributed import DistributedConfig, connect
address, process, artifacts = sys.argv[1:]
connect(DistributedConfig(
    coordinator_address=address, num_processes=2, process_id=int(process)))
import jax
from medr_jax.artifacts import Outcome
from medr_jax.launch.stages import PathsConfig
from medr_jax.launch.together import run_stage_together
from jax.experimental import multihost_utils
built = []
def build(path):
    # Only comes to an end when both processes are here.
    multihost_utils.sync_global_devices("building")
    built.append(str(path))
    if jax.process_index() == 0:
        (path / "file").write_text("made")
    return Outcome(content_hash="hash", counts={})
config = SimpleNamespace(paths=PathsConfig(artifacts=artifacts))
made = [
    run_stage_together(config, "sft", build=build, settings={"a": 1}, inputs={}, version="1",
                       shown=())
    for _ in range(2)
]
print(json.dumps({"built": built, "paths": [str(one.path) for one in made],
                  "file": (made[1].path / "file").read_text()}))
"""


@pytest.mark.slow
def test_both_build_once_and_both_reuse(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    root = Path(__file__).resolve().parents[2]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, address, str(number), str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    reports = [json.loads(one.communicate(timeout=600)[0].splitlines()[-1]) for one in both]
    assert reports[0] == reports[1]
    # Two builds would mean that the second run did not find the first's artifact.
    assert len(reports[0]["built"]) == 1
    assert reports[0]["paths"] == reports[0]["built"] * 2
    assert reports[0]["file"] == "made"
