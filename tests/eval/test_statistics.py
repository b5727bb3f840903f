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


def test_mcnemar_by_hand():
    # b=1, c=5: 2 (C(6,0)+C(6,1)) / 64 = 14/64; the chi-square without correction gives 0.102
    assert statistics.mcnemar_exact(1, 5) == statistics.mcnemar_exact(5, 1) == 14 / 64
    assert statistics.mcnemar_exact(0, 6) == 2 / 64
    assert statistics.mcnemar_exact(3, 3) == 1.0  # doubling the tail would give 1.3125
    assert statistics.mcnemar_exact(0, 0) == 1.0
    with pytest.raises(ValueError, match="negative"):
        statistics.mcnemar_exact(-1, 2)


def test_two_systems_on_the_same_questions():
    first = {"q1": True, "q2": True, "q3": True, "q4": False}
    second = {"q4": False, "q3": True, "q2": False, "q1": False}
    found = statistics.compare(first, second)
    assert (found.first_only, found.second_only, found.p_value) == (2, 0, 0.5)
    assert found.difference.value == 0.5
    with pytest.raises(ValueError, match="1 questions were graded for one system only.*q4"):
        statistics.compare(first, {"q1": True, "q2": True, "q3": True})


def test_pass_at_k_by_hand():
    # 4 rollouts, 1 right: k=1 1/4, k=2 1 - C(3,2)/C(4,2) = 1/2; 1 - (3/4)^2 would be 0.4375
    assert statistics.pass_at_k(4, 1, 1) == pytest.approx(1 / 4)
    assert statistics.pass_at_k(4, 1, 2) == pytest.approx(1 / 2)
    assert statistics.pass_at_k(4, 1, 4) == statistics.pass_at_k(4, 4, 1) == 1.0
    assert statistics.pass_at_k(4, 0, 3) == 0.0
    for bad in ((4, 5, 1), (4, -1, 1), (4, 1, 5), (4, 1, 0)):
        with pytest.raises(ValueError):
            statistics.pass_at_k(*bad)


def test_pass_at_k_does_not_depend_on_the_order_of_completion():
    one = statistics.mean_pass_at_k({"a": [True, False, False], "b": [False] * 3}, 2)
    other = statistics.mean_pass_at_k({"b": [False] * 3, "a": [False, False, True]}, 2)
    # taking the first two rollouts would give 0.5 and 0.0
    assert one == other and one.value == pytest.approx(1 / 3)


def test_pass_at_k_is_unbiased():
    # the mean over all pairs of rollouts is what the formula gives
    rollouts = [True, False, True, False, False]
    pairs = [any(pair) for pair in itertools.combinations(rollouts, 2)]
    assert statistics.pass_at_k(5, 2, 2) == pytest.approx(np.mean(pairs))


def test_families_widen_the_interval():
    # 20 families of 10 questions that are all right or all wrong: 20 independent facts, not 200
    scores = {
        ("seed0", f"family{f}", f"q{f}-{q}"): float(f % 2) for f in range(20) for q in range(10)
    }
    cell = statistics.hierarchical_bootstrap(scores)
    assert (cell.value, cell.n) == (0.5, 200)
    # standard error sqrt(0.25/20) = 0.112; over questions it would be 0.035
    assert cell.high - cell.low == pytest.approx(2 * 1.96 * 0.112, abs=0.06)


def test_training_seeds_widen_the_interval():
    one = {("s0", f"f{i}", f"q{i}"): float(i % 2) for i in range(50)}
    apart = one | {("s1", f"f{i}", f"q{i}"): 1.0 for i in range(50)}
    cell = statistics.hierarchical_bootstrap(apart)
    assert (cell.value, cell.n) == (0.75, 50)
    # a seed of 0.5 and one of 1.0: both may be drawn twice, so the interval reaches both
    assert cell.low < 0.55 and cell.high == 1.0
    assert statistics.hierarchical_bootstrap(apart) == cell
    assert statistics.hierarchical_bootstrap({}).value is None


def test_the_majority_baseline():
    cell = statistics.majority(["yes", "no", "yes", "maybe"])
    assert (cell.value, cell.n) == (0.5, 4)
    assert statistics.majority([]).value is None
