"""Fitting, ranks, Brier, calibration error."""

import numpy as np
import pytest
from scipy import special

from medr_jax.eval.diagnosis.calibration import (
    NONE,
    Calibration,
    brier,
    error_with_interval,
    expected_calibration_error,
    fit,
    rank_of,
)


def test_shares_end_with_none():
    shares = Calibration(temperature=2.0, none=1.0).shares(np.array([2.0, 0.0]))
    e = np.e
    np.testing.assert_allclose(shares, np.array([e, 1, e]) / (2 * e + 1))


def test_the_fit_finds_what_made_the_data():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 6, (1500, 20))
    made = Calibration(temperature=3.0, none=2.0)
    answers = [rng.choice(21, p=made.shares(row)) for row in scores]
    truth = np.array([NONE if answer == 20 else answer for answer in answers])
    found = fit(scores, truth)
    assert found.temperature == pytest.approx(3.0, rel=0.15)
    assert found.none == pytest.approx(2.0, abs=0.3)


def test_a_disease_that_was_taken_out_cannot_be_the_answer():
    scores = np.array([[-np.inf, 1.0], [3.0, 1.0], [2.0, 4.0], [1.0, -np.inf]])
    found = fit(scores, np.array([NONE, 0, 1, NONE]))
    assert np.isfinite([found.temperature, found.none]).all()
    assert found.shares(scores[0])[0] == 0


def test_equal_scores_share_their_places():
    scores = np.array([3.0, 1.0, 1.0, 1.0, 0.0])
    assert [rank_of(scores, row) for row in range(5)] == [1, 3, 3, 3, 5]  # not 2 for the tied


def test_brier_by_hand():
    shares = np.array([0.7, 0.2, 0.1])
    assert brier(shares, 0) == pytest.approx(0.3**2 + 0.2**2 + 0.1**2)
    assert brier(shares, NONE) == pytest.approx(0.7**2 + 0.2**2 + 0.9**2)


def test_calibration_error_by_hand():
    confidence = np.repeat([0.2, 0.9], 10)
    correct = np.array([0.0] * 8 + [1.0] * 2 + [1.0] * 5 + [0.0] * 5)
    # Bins of two: |0.2 - 0| four times, |0.2 - 1| once, |0.9 - 1| two and a half times ...
    assert expected_calibration_error(confidence, correct) == pytest.approx(
        (4 * 0.2 + 0.8 + 2 * 0.1 + 0.4 + 2 * 0.9) / 10
    )
    shares = special.softmax(np.random.default_rng(0).normal(0, 2, (2000, 5)), axis=1)
    drawn = (np.cumsum(shares, axis=1) < np.random.default_rng(1).random((2000, 1))).sum(axis=1)
    cell = error_with_interval(shares.max(axis=1), (drawn == shares.argmax(axis=1)).astype(float))
    assert cell.value < 0.05
    assert cell.low <= cell.high
