"""What can be said about a benchmark without showing it."""

from collections import Counter
from collections.abc import Sequence

from medr_jax.eval import statistics, tables
from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem

_MAX_VALUES = 12
"""Values of a group that are listed; the rest are counted."""


def describe(benchmark: Benchmark, items: Sequence[BenchmarkItem]) -> dict[str, object]:
    """Name -> fact: counts, sizes, groups and the majority baseline. No text of any item."""
    baseline = statistics.majority([item.gold for item in items])
    facts: dict[str, object] = {
        "benchmark": benchmark.name,
        "source": benchmark.source,
        "version": base.version(items),
        "questions": len(items),
        "graded by": benchmark.rule,
        "majority baseline": tables.cell_text(baseline),
        "distinct answers": len({item.gold for item in items}),
        "characters a question": round(sum(len(item.question) for item in items) / len(items), 1),
    }
    if any(item.options for item in items):
        facts["options"] = _counts(Counter(str(len(item.options)) for item in items))
    if any(item.context for item in items):
        facts["passages"] = sum(len(item.context) for item in items)
    for group in sorted({name for item in items for name in item.groups}):
        facts[f"by {group}"] = _counts(Counter(item.groups.get(group, "") for item in items))
    return facts


def _counts(counts: Counter[str]) -> str:
    listed = [f"{value} {count}" for value, count in sorted(counts.items())[:_MAX_VALUES]]
    more = len(counts) - len(listed)
    return ", ".join([*listed, f"and {more} more"] if more else listed)
