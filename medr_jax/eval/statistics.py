"""Intervals: how far a measured number can be trusted."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from medr_jax.types import Record

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000
_BLOCK = 1 << 18  # drawn cases at a time: bounds the memory for large samples


class Cell(Record):
    """A number as a table shows it. ``value`` is None when there was nothing to count."""

    value: float | None
    low: float | None = None  # bounds of the interval named by ``method``
    high: float | None = None
    n: int = 0  # how many questions (or seeds) it rests on
    method: str = ""  # "Wilson 95%", "bootstrap 95%", "range"


EMPTY = Cell(value=None)
"""Nothing to count: not the same as zero, and not the same as "not run"."""


def wilson(successes: int, n: int) -> Cell:
    """A share with its Wilson score interval.

    centre = (p + z²/2n) / (1 + z²/n), half = z √(p(1-p)/n + z²/4n²) / (1 + z²/n), z = 1.96
    (Wilson 1927). Unlike p ± z·SE it has a width at p = 0 and p = 1 and stays within [0, 1].
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes={successes} must lie between 0 and n={n}")
    if n == 0:
        return EMPTY
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Cell(
        value=share,
        low=max(0.0, centre - half) if successes else 0.0,  # exact, not 1e-17
        high=min(1.0, centre + half) if successes < n else 1.0,
        n=n,
        method="Wilson 95%",
    )


def bootstrap_ratio(
    numerators: Sequence[float], denominators: Sequence[float], *, seed: int = 0
) -> Cell:
    """sum(numerators) / sum(denominators) with a percentile bootstrap interval.

    Whole cases (trajectories) are drawn with replacement, because the calls within one are
    not independent. Cases with a zero denominator are left out and not counted in ``n``.
    When every case is perfect (or every one zero) resampling shows no spread, so the interval
    is Wilson's over the cases.
    """
    top = np.asarray(numerators, dtype=np.float64)
    bottom = np.asarray(denominators, dtype=np.float64)
    if top.shape != bottom.shape:
        raise ValueError(f"{top.size} numerators but {bottom.size} denominators")
    counted = bottom > 0
    top, bottom = top[counted], bottom[counted]
    if not top.size:
        return EMPTY
    value = float(top.sum() / bottom.sum())
    if value in (0.0, 1.0) and np.all(top == value * bottom):
        return wilson(top.size if value else 0, top.size)
    low, high = _percentiles(top, bottom, seed)
    return Cell(value=value, low=low, high=high, n=int(top.size), method="bootstrap 95%")


def bootstrap_mean(values: Sequence[float], *, seed: int = 0) -> Cell:
    """The mean with a percentile bootstrap interval over cases."""
    samples = np.asarray(values, dtype=np.float64)
    if not samples.size:
        return EMPTY
    low, high = _percentiles(samples, np.ones_like(samples), seed)
    return Cell(
        value=float(samples.mean()), low=low, high=high, n=samples.size, method="bootstrap 95%"
    )


def paired_difference(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> Cell:
    """mean(first - second) over the same questions in the same order, bootstrap interval.

    Pairing removes the spread between easy and hard questions that both systems share.
    """
    if len(first) != len(second):
        raise ValueError(
            f"paired_difference needs the same questions for both: {len(first)} and {len(second)}"
        )
    return bootstrap_mean(np.subtract(first, second, dtype=np.float64), seed=seed)


def over_seeds(values: Sequence[float]) -> Cell:
    """Mean over training seeds with the whole range (not an interval); ``n`` counts seeds."""
    if not len(values):
        return EMPTY
    samples = [float(value) for value in values]
    return Cell(
        value=math.fsum(samples) / len(samples),
        low=min(samples),
        high=max(samples),
        n=len(samples),
        method="range",
    )


def _percentiles(top: np.ndarray, bottom: np.ndarray, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    rows = max(1, min(NUM_RESAMPLES, _BLOCK // top.size))
    ratios = []
    for start in range(0, NUM_RESAMPLES, rows):
        drawn = rng.integers(0, top.size, (min(rows, NUM_RESAMPLES - start), top.size))
        ratios.append(top[drawn].sum(axis=1) / bottom[drawn].sum(axis=1))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(np.concatenate(ratios), [tail, 100 - tail])
    return float(low), float(high)
