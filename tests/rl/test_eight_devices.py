"""One RL step is the same on one device, on a mesh of eight, and in micro-batches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("on_eight_devices.py")


@pytest.mark.slow
def test_a_step_does_not_depend_on_mesh_or_micro_batches():
    root = SCRIPT.parents[2]
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=1800,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert len(report) == 3
    for name, case in report.items():
        assert case["scores"] <= 1e-5, name
        assert case["metrics"] <= 1e-5, name
        # With Adam's eps at 1: else the sign of a gradient that is all rounding would show.
        assert case["params"] <= 1e-5, name
