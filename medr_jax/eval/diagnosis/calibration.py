"""From scores to shares that mean something, and how far they do."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize, special

from medr_jax.eval.statistics import CONFIDENCE, Cell

NUM_BINS = 10
NUM_RESAMPLES = 500
NONE = -1
"""The answer of a patient whose disease is not in the table."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """p ∝ exp(score / temperature) over diseases, exp(none) for ``none of these``."""

    temperature: float
    none: float

    def shares(self, scores_R: Float[np.ndarray, "R"]) -> Float[np.ndarray, "R+1"]:
        """One share a disease, that of ``none of these`` last; they add up to 1."""
        return special.softmax(np.append(scores_R / self.temperature, self.none))


def fit(scores_PR: Float[np.ndarray, "P R"], truth_P: Int[np.ndarray, "P"]) -> Calibration:
    """The temperature and the none score of greatest likelihood.

    Maximises Σ ln p(truth) over patients (Guo et al. 2017, arXiv:1706.04599, with a class of
    constant score). ``truth`` is a row of the scores, or ``NONE``.
    """
    true_scores = scores_PR[np.arange(len(scores_PR)), np.maximum(truth_P, 0)]

    def loss(parameters: np.ndarray) -> float:
        temperature, none = np.exp(parameters[0]), parameters[1]
        totals = special.logsumexp(scores_PR / temperature, axis=1)
        truth = np.where(truth_P == NONE, none, true_scores / temperature)
        return float(np.mean(np.logaddexp(totals, none) - truth))

    spread = np.std(scores_PR[np.isfinite(scores_PR)], dtype=np.float64)
    start = np.array([np.log(max(spread, 1e-6)), np.log(scores_PR.shape[1])])
    found = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 200})
    return Calibration(temperature=float(np.exp(found.x[0])), none=float(found.x[1]))


def rank_of(scores_R: Float[np.ndarray, "R"], row: int) -> float:
    """1 for the best; among equal scores the mean of the places that they share."""
    better = np.count_nonzero(scores_R > scores_R[row])
    equal = np.count_nonzero(scores_R == scores_R[row])
    return better + (equal + 1) / 2


def brier(shares: Float[np.ndarray, "R+1"], row: int) -> float:
    """Σ over answers of (share - truth)², from 0 to 2 (Brier 1950); ``row`` may be ``NONE``."""
    return float(np.sum(shares**2) - 2 * shares[row] + 1)


def expected_calibration_error(
    confidence_P: Float[np.ndarray, "P"], correct_P: Float[np.ndarray, "P"]
) -> float:
    """Σ over ten bins of equal size of their share times |mean confidence - share correct|.

    Patients in order of confidence; equal-mass bins, because most confidences are near 0 or 1
    (Naeini et al. 2015, with equal-mass bins).
    """
    order = np.argsort(confidence_P, kind="stable")
    gaps = [
        len(part) * abs(confidence_P[part].mean() - correct_P[part].mean())
        for part in np.array_split(order, min(NUM_BINS, len(order)))
    ]
    return float(sum(gaps) / len(order))


def error_with_interval(
    confidence_P: Float[np.ndarray, "P"], correct_P: Float[np.ndarray, "P"], *, seed: int = 0
) -> Cell:
    """The calibration error with a percentile bootstrap interval over patients.

    The error is biased upwards where patients are few, and its resamples more so: the interval
    can lie above the value.
    """
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in range(NUM_RESAMPLES):
        drawn = rng.integers(0, len(confidence_P), len(confidence_P))
        resampled.append(expected_calibration_error(confidence_P[drawn], correct_P[drawn]))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Cell(
        value=expected_calibration_error(confidence_P, correct_P),
        low=float(low),
        high=float(high),
        n=len(confidence_P),
        method="bootstrap 95%",
    )
