"""Gradients do not depend on micro-batches, packing, mesh or the number of processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("run_gradients.py")
ROOT = Path(__file__).resolve().parents[2]
ONE = {"1": {}}
EIGHT = {"2x2x2": {"data": 2, "fsdp": 2, "tensor": 2}, "1x8x1": {"fsdp": 8}}
TOLERANCE = 1e-5


def run(out: Path, meshes: dict, devices: int, num_processes: int) -> dict[str, np.ndarray]:
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    common = {"coordinator_address": address, "num_processes": num_processes}
    settings = [
        {**common, "process_id": number} if num_processes > 1 else {}
        for number in range(num_processes)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(out), json.dumps(meshes), json.dumps(one)],
            env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for one in settings
    ]
    for process in processes:
        output, _ = process.communicate(timeout=1800)
        assert process.returncode == 0, output
    return dict(np.load(out))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    return run(tmp_path_factory.mktemp("gradients") / "one.npz", ONE | EIGHT, 8, 1)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    return run(tmp_path_factory.mktemp("gradients") / "two.npz", EIGHT, 4, 2)


def leaves(found: dict[str, np.ndarray], case: str) -> dict[str, np.ndarray]:
    return {
        key.split(" ")[-1]: array for key, array in found.items() if key.rsplit(" ", 1)[0] == case
    }


def distance(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Largest ||difference|| / ||gradient|| over the parameters."""
    assert one.keys() == other.keys()
    return max(
        float(np.linalg.norm(one[name] - other[name]) / np.linalg.norm(one[name])) for name in one
    )


def cases(found: dict[str, np.ndarray]) -> list[str]:
    return sorted({key.rsplit(" ", 1)[0] for key in found})


def test_in_one_process(one_process):
    reference = leaves(one_process, "alone 1 1")
    tried = [case for case in cases(one_process) if not case.startswith("means")]
    assert len(tried) == 2 * 3 * 4
    distances = {case: distance(reference, leaves(one_process, case)) for case in tried}
    assert max(distances.values()) <= TOLERANCE, distances


def test_in_two_processes(one_process, two_processes):
    reference = leaves(one_process, "alone 1 1")
    tried = cases(two_processes)
    assert len(tried) == 2 * 2 * 4
    distances = {case: distance(reference, leaves(two_processes, case)) for case in tried}
    assert max(distances.values()) <= TOLERANCE, distances


def test_a_mean_of_micro_batches_means_would_be_seen(one_process):
    reference = leaves(one_process, "alone 1 1")
    assert distance(reference, leaves(one_process, "means 1 4")) > 1e-2
