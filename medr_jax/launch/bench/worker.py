"""The process of one contestant: reads a job, then runs windows as it is told.

python -m medr_jax.launch.bench.worker JOB.pkl

Protocol: a line in with a number of runs, a JSON line out; at the end of input, out.
"""

import importlib
import json
import os
import pickle
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medr_jax.launch.bench.job import CONTESTANTS, Job


def main() -> int:
    """Answers on the real standard output; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(fact: dict[str, Any]) -> None:
        print(json.dumps(fact), file=answers, flush=True)

    job: Job = pickle.loads(Path(sys.argv[1]).read_bytes())
    _limit_threads(job.threads)
    try:
        _serve(job, answer)
    except Exception as problem:
        traceback.print_exc()
        answer({"error": f"{type(problem).__name__}: {problem}"})
        return 1
    return 0


def _serve(job: Job, answer: Callable[[dict[str, Any]], None]) -> None:
    module = importlib.import_module(CONTESTANTS[job.contestant])
    bench = getattr(module, job.task.value)(job)
    first_s, _, first = _timed(bench.run, 1)  # compiles
    second_s, _, _ = _timed(bench.run, 1)
    answer(
        bench.facts
        | {"tokens": bench.tokens, "first": first, "compile_s": max(first_s - second_s, 0.0)}
    )
    for line in sys.stdin:
        wall_s, cpu_s, _ = _timed(bench.run, int(line))
        peak = bench.peak_memory() if bench.peak_memory else _process_peak()
        window = {"wall_s": wall_s, "cpu_s": cpu_s, "peak_memory_bytes": peak}
        if bench.peak_flops:
            window["peak_flops"] = bench.peak_flops()
        answer(window)


def _timed(run: Callable[[int], Any], count: int) -> tuple[float, float, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run(count)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def _process_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_threads(threads: int) -> None:
    """The same number for every library: XLA goes by the CPUs that the process may use."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    raise SystemExit(main())
