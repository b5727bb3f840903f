"""How often the right document is found, and whether the difference is chance."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medr_jax.eval.statistics import paired_difference
from medr_jax.launch.retrieval_bench.systems import System
from medr_jax.launch.retrieval_bench.tasks import Judged
from medr_jax.retrieval.columns import Filters

DEPTH = 10
METRICS = ("recall@1", "recall@10", "MRR@10", "nDCG@10")


def judge(system: System, judged: Sequence[Judged]) -> dict[str, list[float]]:
    """Metric -> its value for each query, in order. All queries of a task ask for one kind."""
    (kind,) = {one.kind for one in judged}
    ranked = system.rank([one.query for one in judged], DEPTH, Filters(kind=kind))
    rows = [measures(found, one.grades) for found, one in zip(ranked, judged, strict=True)]
    return {metric: [row[metric] for row in rows] for metric in METRICS}


def measures(found: Sequence[str], grades: Mapping[str, int]) -> dict[str, float]:
    """The metrics of one ranking.

    recall@k: share of the relevant documents (grade > 0) among the first k. MRR@10: 1 / rank of
    the first relevant one. nDCG@10: sum of (2^grade - 1) / log2(1 + rank) over its best value.
    """
    relevant = {doc_id for doc_id, grade in grades.items() if grade > 0}
    ranks = [rank for rank, doc_id in enumerate(found[:DEPTH], start=1) if doc_id in relevant]
    best = sorted(grades.values(), reverse=True)[:DEPTH]
    return {
        "recall@1": len(relevant & set(found[:1])) / max(len(relevant), 1),
        "recall@10": len(relevant & set(found[:DEPTH])) / max(len(relevant), 1),
        "MRR@10": 1 / ranks[0] if ranks else 0.0,
        "nDCG@10": _gain([grades.get(doc_id, 0) for doc_id in found[:DEPTH]])
        / (_gain(best) or 1.0),
    }


def _gain(grades: Sequence[int]) -> float:
    return math.fsum(
        (2**grade - 1) / math.log2(1 + rank) for rank, grade in enumerate(grades, start=1)
    )


def compared(
    results: Mapping[str, Mapping[str, Sequence[float]]], base: str
) -> dict[str, dict[str, Any]]:
    """System -> metric -> mean, and its difference to the base with a paired bootstrap."""
    table: dict[str, dict[str, Any]] = {}
    for name, metrics in results.items():
        table[name] = {}
        for metric, values in metrics.items():
            cell: dict[str, Any] = {"mean": float(np.mean(values)), "n": len(values)}
            if name != base:
                difference = paired_difference(values, results[base][metric])
                cell |= {
                    "difference": difference.value,
                    "low": difference.low,
                    "high": difference.high,
                }
            table[name][metric] = cell
    return table
