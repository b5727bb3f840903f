"""How many calls each tool had, how they ended and how long they took. Holds no arguments."""

import bisect
import threading
from collections import Counter, defaultdict
from typing import Any

from medr_jax.types import Status

BUCKETS_MS = tuple(
    round(mantissa * 10.0**power, 1) for power in range(-1, 5) for mantissa in (1, 2, 5)
)
"""Upper bounds of the histogram's buckets: 0.1, 0.2, 0.5, 1, ... 50,000; one more is open."""


class CallLog:
    """Counts in constant memory; many threads may write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[str, Counter[str]] = defaultdict(Counter)
        self._latencies: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_MS) + 1))

    def add(self, tool: str, status: Status, latency_ms: float) -> None:
        """Counts one call."""
        with self._lock:
            self._statuses[tool][str(status)] += 1
            self._latencies[tool][bisect.bisect_left(BUCKETS_MS, latency_ms)] += 1

    def summary(self) -> dict[str, dict[str, Any]]:
        """Per tool: ``calls``, ``statuses``, ``p50_ms``, ``p99_ms`` and ``histogram``.

        A percentile is the upper bound of its bucket, None beyond the last bound. The histogram
        holds [upper bound, calls] of buckets with calls.
        """
        with self._lock:
            return {
                tool: {
                    "calls": sum(counts),
                    "statuses": dict(sorted(self._statuses[tool].items())),
                    "p50_ms": _percentile(counts, 0.5),
                    "p99_ms": _percentile(counts, 0.99),
                    "histogram": [
                        [bound, count]
                        for bound, count in zip((*BUCKETS_MS, None), counts, strict=True)
                        if count
                    ],
                }
                for tool, counts in sorted(self._latencies.items())
            }


def _percentile(counts: list[int], share: float) -> float | None:
    wanted = share * sum(counts)
    reached = 0
    for bound, count in zip(BUCKETS_MS, counts[:-1], strict=True):
        reached += count
        if reached >= wanted:
            return bound
    return None
