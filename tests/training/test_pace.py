"""Speed, MFU and the time that is left, by hand."""

import pytest

from medr_jax.training import pace
from medr_jax.training.pace import Pace, note


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand; the process spends 1.5 CPU seconds a second."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(pace.time, "process_time", lambda: 1.5 * now[0])
    return now


def test_by_hand(clock):
    run = Pace(10, flops_per_token=3e6, peak_flops=1e9)
    clock[0] += 2.0
    timings = run.step(1, tokens=500)
    # 3e6 * 500 / (2 s * 1e9) = 0.75; 9 steps of 2 s are left.
    assert timings == {"tokens_per_s": 250.0, "mfu": 0.75, "eta_s": 18.0, "cpu_s": 3.0}
    clock[0] += 50.0  # an evaluation
    run.restart()
    clock[0] += 1.0
    # The median of 2 and 1 seconds, 8 times; with the evaluation counted it were over 200.
    assert run.step(2, tokens=500)["eta_s"] == 12.0


def test_no_mfu_where_nobody_knows_the_peak(clock):
    run = Pace(10, flops_per_token=3e6, peak_flops=0.0)
    clock[0] += 1.0
    timings = run.step(1, tokens=5)
    assert "mfu" not in timings
    assert note({"loss": 1.0, **timings}) == "loss 1.000  5 tokens/s"
    assert note({"loss": 1.0, **timings, "mfu": 0.5}).endswith("MFU 50.0%")
