"""A dataset of invented research, and a way to train on it in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from medr_jax.testing.training import invented_dataset
from medr_jax.training.compile_cache import enable_compile_cache
from medr_jax.training.metrics import read_metrics
from medr_jax.training.pace import TIMINGS

SCRIPT = Path(__file__).with_name("run_sft.py")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """16 rows of 128 tokens or so: an epoch ends every four steps."""
    return invented_dataset(tmp_path_factory.mktemp("sft") / "dataset", train=32, dev=4, hits=1)


@pytest.fixture(scope="session")
def compile_cache(tmp_path_factory):
    """Compiled programs that this and other processes share: the same ones come up often."""
    path = tmp_path_factory.mktemp("compile_cache")
    enable_compile_cache(path)
    yield path
    jax.config.update("jax_compilation_cache_dir", None)


@pytest.fixture(scope="session")
def start(dataset, compile_cache):
    """``start(out, {run name: settings}, devices)``: the process that trains the runs in turn.

    ``processes`` are the fields of DistributedConfig of one of several.
    """

    def start(
        out: Path, runs: dict[str, dict], devices: int = 1, processes: dict | None = None
    ) -> subprocess.Popen:
        # Unoptimised code is as exact, and these runs spend their time compiling.
        flags = (
            f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
        )
        return subprocess.Popen(
            [
                sys.executable,
                str(SCRIPT),
                str(dataset),
                str(out),
                str(compile_cache),
                json.dumps(runs),
                json.dumps(processes or {}),
            ],
            env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture(scope="session")
def curve():
    """A run's metrics without the speeds, which differ from run to run."""

    def curve(out: Path) -> list[dict]:
        return [
            {name: value for name, value in record.items() if name not in TIMINGS}
            for record in read_metrics(out / "metrics.jsonl")
        ]

    return curve
