"""Queries a second, in turns, so that whatever else the machine does hits all alike."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from medr_jax.launch.retrieval_bench.systems import System
from medr_jax.retrieval.columns import Filters

NUM_HITS = 10


def speeds(
    systems: Sequence[System], queries: Sequence[Sequence[str]], filters: Sequence[Filters]
) -> dict[str, dict[str, Any]]:
    """System -> queries a second (CPU and wall), ratio to the last one, latencies.

    A window asks all queries of a round under one set of filters; windows alternate between the
    systems. The first round is not counted: it opens files and compiles.
    """
    windows: dict[str, list[tuple[float, float]]] = {system.name: [] for system in systems}
    for number, asked in enumerate(queries):
        for offset in range(len(systems)):
            system = systems[(number + offset) % len(systems)]
            narrow = filters[number % len(filters)]
            wall, cpu = time.perf_counter(), time.process_time()
            system.rank(asked, NUM_HITS, narrow)
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            if number:
                windows[system.name].append(spent)
    return _summary(windows, len(queries[0]), systems[-1].name)


def _summary(
    windows: Mapping[str, Sequence[tuple[float, float]]], count: int, base: str
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, spent in windows.items():
        pairs = list(zip(spent, windows[base], strict=True))
        walls, ratios = ([b[i] / s[i] for s, b in pairs] for i in (0, 1))
        found[name] = {
            "queries_per_s": count / median(wall for wall, _ in spent),
            "queries_per_cpu_s": count / median(cpu for _, cpu in spent),
            "ratio": median(walls),
            "ratio_range": [min(walls), max(walls)],
            "cpu_ratio": median(ratios),
            "cpu_ratio_range": [min(ratios), max(ratios)],
        }
    return found


def latencies(system: System, queries: Sequence[str], filters: Filters) -> dict[str, float]:
    """p50 and p99 of one query at a time, in milliseconds, by the wall clock."""
    spent = []
    for query in queries:
        start = time.perf_counter()
        system.rank([query], NUM_HITS, filters)
        spent.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(spent, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99)}
