"""Medians and ratios of windows that were measured side by side."""

import pytest

from medr_jax.launch.bench import report


def contestant(wall, cpu, tokens=100):
    windows = [
        {"wall_s": w, "cpu_s": c, "peak_memory_bytes": 1, "peak_flops": 1000.0}
        for w, c in zip(wall, cpu, strict=True)
    ]
    return {
        "tokens": tokens,
        "runs": 2,
        "windows": windows,
        "compile_s": 0.0,
        "peak_flops": None,
        "flops_per_run": 500.0,
    }


def test_the_ratio_is_taken_within_each_round():
    # The machine got 10x slower in round 2: by round the ratio is 2, 2, 3; of the medians of
    # all rounds (4 / 1) it would be 4.
    ours = contestant([1.0, 10.0, 1.0], [1.0] * 3)
    theirs = contestant([2.0, 20.0, 3.0], [1.5] * 3)
    rows = report.summarize({"ours": ours, "hf": theirs})
    assert rows["hf"]["ratio"] == {"median": 2.0, "low": 2.0, "high": 2.5}
    assert rows["hf"]["cpu_ratio"]["median"] == 1.5
    assert "ratio" not in rows["ours"]


def test_medians_and_mfu_by_hand():
    rows = report.summarize({"ours": contestant([1.0, 2.0, 8.0], [2.0, 4.0, 4.0])})
    assert rows["ours"]["tokens_per_s"] == 100  # 2 runs of 100 tokens in 2 s
    assert rows["ours"]["tokens_per_cpu_s"] == 50
    assert rows["ours"]["mfu"] == pytest.approx(0.5)  # 1000 FLOPs in 2 s of 1000 FLOP/s


def test_spread_of_one_round_is_that_round():
    assert report.spread([3.0]) == {"median": 3.0, "low": 3.0, "high": 3.0}
