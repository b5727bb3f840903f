"""Counts and latencies of calls."""

from medr_jax.tools.call_log import BUCKETS_MS, CallLog
from medr_jax.types import Status


def test_calls_are_counted_by_tool_and_status():
    log = CallLog()
    for latency in (0.3, 0.4, 30.0):
        log.add("search", Status.OK, latency)
    log.add("search", Status.TIMEOUT, 1e9)
    log.add("read", Status.OK, 2.0)
    search = log.summary()["search"]
    assert search["calls"] == 4
    assert search["statuses"] == {"ok": 3, "timeout": 1}
    assert search["histogram"] == [[0.5, 2], [50.0, 1], [None, 1]]
    assert (search["p50_ms"], search["p99_ms"]) == (0.5, None)
    assert log.summary()["read"]["p99_ms"] == 2.0  # a bound belongs to its own bucket


def test_buckets_rise():
    assert list(BUCKETS_MS) == sorted(BUCKETS_MS)
    assert (BUCKETS_MS[0], BUCKETS_MS[-1]) == (0.1, 50000.0)
