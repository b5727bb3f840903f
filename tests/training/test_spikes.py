"""A loss out of line with those before it."""

import math

import pytest

from medr_jax.training.spikes import WINDOW, LossHistory


def filled(factor: float = 4.0) -> LossHistory:
    history = LossHistory(factor)
    for number in range(WINDOW):
        assert history.problem(1.0 + number / 100, 1.0) == ""
    return history


def test_a_spike_is_judged_by_the_median_and_not_remembered():
    history = filled()
    before = history.get_state()
    # The median is 1.155; four times that is 4.62. Against the last loss (1.31) it were 5.24.
    assert "4.7, more than watch.spike_factor=4 times" in history.problem(4.7, 1.0)
    assert history.get_state() == before
    assert history.problem(4.6, 1.0) == ""


def test_too_few_losses_judge_nothing_but_numbers_must_be_finite():
    history = LossHistory(4.0)
    assert history.problem(1.0, 1.0) == history.problem(100.0, 1.0) == ""
    assert "loss nan" in history.problem(math.nan, 1.0)
    assert "gradient norm inf" in history.problem(1.0, math.inf)


def test_off_and_negative_losses_are_no_spikes():
    assert filled(0.0).problem(1e9, 1.0) == ""
    history = LossHistory(4.0)  # a policy gradient's losses change sign
    for _ in range(WINDOW):
        history.problem(-0.1, 1.0)
    assert history.problem(3.0, 1.0) == ""


def test_the_history_goes_on():
    again = LossHistory(4.0)
    again.set_state(filled().get_state())
    assert again.problem(4.7, 1.0)


@pytest.mark.parametrize("length", [0, WINDOW - 1])
def test_a_short_history_goes_on_too(length):
    history = LossHistory(4.0)
    history.set_state([1.0] * length)
    assert history.problem(9.0, 1.0) == ""
