import itertools

import numpy as np
import pytest

from medr_jax.eval import statistics


def test_wilson_by_hand():
    # p=0.8, n=10, z²=3.8415: centre (0.8+0.19207)/1.38415=0.7167,
    # half 1.95996*sqrt(0.016+0.0096037)/1.38415=0.2266
    cell = statistics.wilson(8, 10)
    assert cell.value == 0.8
    assert cell.low == pytest.approx(0.4902, abs=1e-4)  # p - z*SE would give 0.5521
    assert cell.high == pytest.approx(0.9433, abs=1e-4)  # p + z*SE would give 1.0479
    assert cell.n == 10


def test_wilson_has_a_width_at_the_ends():
    none, all_of_them = statistics.wilson(0, 20), statistics.wilson(20, 20)
    assert (none.low, all_of_them.high) == (0.0, 1.0)
    # z²/(n+z²) = 3.8415/23.8415
    assert none.high == pytest.approx(0.1611, abs=1e-4)
    assert all_of_them.low == pytest.approx(1 - 0.1611, abs=1e-4)


def test_nothing_to_count_is_not_zero():
    for cell in (
        statistics.wilson(0, 0),
        statistics.bootstrap_mean([]),
        statistics.bootstrap_ratio([0, 0], [0, 0]),
        statistics.over_seeds([]),
    ):
        assert cell.value is None and cell.n == 0


def test_wilson_rejects_impossible_counts():
    with pytest.raises(ValueError, match="successes=3"):
        statistics.wilson(3, 2)


def test_bootstrap_matches_every_resample_of_three():
    # all 27 resamples of (0, 0, 3) have a mean in {0, 1, 2, 3}; P(0)=8/27, P(3)=1/27,
    # both above 2.5%, so the percentiles are the extremes
    means = {sum(draw) / 3 for draw in itertools.product([0, 0, 3], repeat=3)}
    cell = statistics.bootstrap_mean([0, 0, 3])
    assert (cell.value, cell.low, cell.high) == (1.0, min(means), max(means))


def test_bootstrap_width_is_the_standard_error():
    values = np.random.default_rng(1).normal(5, 2, 400)
    cell = statistics.bootstrap_mean(values)
    half = 1.96 * values.std() / 20
    assert cell.low == pytest.approx(values.mean() - half, abs=0.04)
    assert cell.high == pytest.approx(values.mean() + half, abs=0.04)


def test_bootstrap_is_seeded():
    values = [0.0, 1.0, 2.5, 7.0]
    assert statistics.bootstrap_mean(values, seed=3) == statistics.bootstrap_mean(values, seed=3)


def test_ratio_weighs_calls_not_cases():
    # 9 of 10 calls and 0 of 1: 9/11, where a mean of ratios would give 0.45
    cell = statistics.bootstrap_ratio([9, 0, 0], [10, 1, 0])
    assert cell.value == pytest.approx(9 / 11)
    assert cell.n == 2


def test_the_interval_is_about_the_same_ratio():
    # half of the cases 9 of 10, half 0 of 1: 9/11, with resampled means of ratios near 0.45
    cell = statistics.bootstrap_ratio([9, 0] * 20, [10, 1] * 20)
    assert 0.7 < cell.low < 9 / 11 < cell.high < 0.9


def test_perfect_ratio_still_has_a_width():
    cell = statistics.bootstrap_ratio([3, 2, 4], [3, 2, 4])
    assert cell.value == 1.0
    assert cell.low == pytest.approx(statistics.wilson(3, 3).low)


def test_paired_difference_cancels_what_both_share():
    hard_and_easy = [0.0, 10.0, 0.0, 10.0]
    better = [value + 1 for value in hard_and_easy]
    cell = statistics.paired_difference(better, hard_and_easy)
    # unpaired, the spread of 0..10 would make the interval about ±7 wide
    assert (cell.value, cell.low, cell.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="same questions"):
        statistics.paired_difference([1.0], [1.0, 2.0])


def test_over_seeds_is_mean_and_range():
    cell = statistics.over_seeds([0.8, 0.9, 0.85])
    assert cell.value == pytest.approx(0.85)
    assert (cell.low, cell.high, cell.n) == (0.8, 0.9, 3)
