"""Tokens per second of the train step and of decoding, beside peers on the same shapes.

Each contestant is a process that holds its compiled program. Windows of a few steps alternate
between them, so that whatever else the machine does hits all alike; the ratio is taken within
each round.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import medr_jax
from medr_jax import console
from medr_jax.cores import usable_cores
from medr_jax.launch import record
from medr_jax.launch.bench import report
from medr_jax.launch.bench.job import CONTESTANTS, OURS, BenchConfig, BenchTask, Job
from medr_jax.launch.bench.process import Contestant
from medr_jax.models.config import ModelConfig
from medr_jax.models.hf_config import refuse_inexpressible
from medr_jax.sharding import MeshConfig

EXTRA = {
    "hf": "pip install 'medr-jax[parity]'",
    "tunix": "see docs/benchmarks.md for an environment with google-tunix, then name it in "
    "bench.tunix_python",
}


def bench_model(config: SimpleNamespace) -> Path:
    """Runs every task of ``config.bench`` and writes ``bench.json`` and ``bench.md``.

    Raises:
        ValueError: a peer's name, a model no peer can express, or a contestant that failed.
    """
    peers = check_peers(config.peers, config.model)
    results = {
        task.value: run_task(task, peers, config.model, config.bench, config.mesh, config.run_dir)
        for task in config.bench.tasks
    }
    facts = record.environment() | {"command": record.command("bench_model")}
    report.write(config.run_dir, results, config.model, config.bench, facts)
    print((config.run_dir / report.TABLE).read_text(encoding="utf-8"))
    console.say(f"results      {config.run_dir / report.JSON}")
    return config.run_dir


def check_peers(peers: Sequence[str], model: ModelConfig) -> list[str]:
    """The peers, once each; ValueError where one is unknown or cannot build this model."""
    known = [name for name in CONTESTANTS if name != OURS]
    if unknown := sorted(set(peers) - set(known)):
        raise ValueError(f"peers={list(peers)}: {', '.join(unknown)} unknown; use {known}")
    if model.vocab_size < 1:
        raise ValueError("model.vocab_size=0: set it, a benchmark has no tokenizer to ask")
    if peers:
        refuse_inexpressible(model)
    return list(dict.fromkeys(peers))


def run_task(
    task: BenchTask,
    peers: Sequence[str],
    model: ModelConfig,
    bench: BenchConfig,
    mesh: MeshConfig,
    out: Path,
) -> dict[str, Any]:
    """Facts and windows of each contestant: {"ours": {..., "windows": [...]}, ...}.

    A window is ``{"wall_s", "cpu_s", "peak_memory_bytes"}``, and of ours "peak_flops" where no
    table has the device's; windows of the same place in their lists belong to one round.
    """
    if task is BenchTask.decode and "tunix" in peers:
        console.say("tunix decodes from text by its own tokenizer: it sits out of decode")
        peers = [name for name in peers if name != "tunix"]
    names = [OURS, *peers]
    runs = bench.train_runs if task is BenchTask.train else bench.decode_runs
    with tempfile.TemporaryDirectory() as scratch:
        contestants: dict[str, Contestant] = {}
        try:
            for name in names:  # ours first: it writes the weights that all start from
                contestants[name] = start(
                    name, task, model, bench, mesh, Path(scratch), out, bool(peers)
                )
                contestants[name].wait_ready()
            windows = {name: [] for name in names}
            with console.bar(task.value, bench.rounds * len(names)) as advance:
                for number in range(bench.rounds):
                    turn = number % len(names)
                    for name in names[turn:] + names[:turn]:
                        windows[name].append(contestants[name].window(runs))
                        advance(1, name)
        finally:
            for contestant in contestants.values():
                contestant.close()
    return {
        name: contestants[name].facts | {"runs": runs, "windows": windows[name]} for name in names
    }


def start(
    name: str,
    task: BenchTask,
    model: ModelConfig,
    bench: BenchConfig,
    mesh: MeshConfig,
    scratch: Path,
    out: Path,
    with_peers: bool,
) -> Contestant:
    """The contestant's process, its log beside the results."""
    job = Job(
        contestant=name,
        task=task,
        model=model,
        bench=bench,
        mesh=mesh if name == OURS else None,
        threads=bench.threads or usable_cores(),
        weights=scratch / "weights" if with_peers else None,
    )
    job_file = scratch / f"{name}.pkl"
    job_file.write_bytes(pickle.dumps(job))
    python = {"hf": bench.hf_python, "tunix": bench.tunix_python}.get(name) or sys.executable
    if shutil.which(python) is None:
        raise ValueError(
            f"bench.{name}_python={python}: no such program; name a Python interpreter"
        )
    log = out / f"{task.value}-{name}.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [python, "-m", "medr_jax.launch.bench.worker", str(job_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # A peer's interpreter has another environment: it gets this package, and only this.
            env=os.environ | {"PYTHONPATH": str(Path(medr_jax.__file__).parents[1])},
        )
    return Contestant(name, process, bench.timeout_s, log, EXTRA)
