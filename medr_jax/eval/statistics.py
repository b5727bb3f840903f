"""Intervals and tests: how far a measured number, or a difference, can be trusted."""

import math
from collections.abc import Mapping, Sequence
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


class PairedTest(Record):
    """Two systems on the same questions."""

    difference: Cell  # accuracy of the first minus the second, paired bootstrap
    first_only: int  # questions that only the first answered rightly
    second_only: int
    p_value: float  # McNemar's exact test, two-sided


def compare(first: Mapping[str, bool], second: Mapping[str, bool], *, seed: int = 0) -> PairedTest:
    """Paired bootstrap of the difference and McNemar's test, over question ids -> correct.

    Raises:
        ValueError: the two were not asked the same questions.
    """
    if first.keys() != second.keys():
        missing = sorted(first.keys() ^ second.keys())
        raise ValueError(
            f"{len(missing)} questions were graded for one system only (such as {missing[:3]}); "
            "evaluate both on the same questions"
        )
    ids = sorted(first)
    one, other = [first[i] for i in ids], [second[i] for i in ids]
    first_only = sum(a and not b for a, b in zip(one, other, strict=True))
    second_only = sum(b and not a for a, b in zip(one, other, strict=True))
    return PairedTest(
        difference=paired_difference(one, other, seed=seed),
        first_only=first_only,
        second_only=second_only,
        p_value=mcnemar_exact(first_only, second_only),
    )


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Two-sided p of McNemar's exact test on the questions where two systems differ.

    p = min(1, 2 Σ_{i ≤ min(b, c)} C(b+c, i) / 2^(b+c)) (McNemar 1947; the binomial form).
    1.0 where they never differ.
    """
    if min(first_only, second_only) < 0:
        raise ValueError(f"counts must not be negative: {first_only}, {second_only}")
    n = first_only + second_only
    tail = sum(math.comb(n, i) for i in range(min(first_only, second_only) + 1))
    return min(1.0, 2 * tail / 2**n)


def pass_at_k(num_rollouts: int, num_correct: int, k: int) -> float:
    """Unbiased chance that one of ``k`` rollouts is right: 1 - C(n-c, k) / C(n, k).

    (Chen et al. 2021, arXiv:2107.03374.) Counts only: the order of completion plays no part.

    Raises:
        ValueError: fewer than ``k`` rollouts, or impossible counts.
    """
    if not 0 <= num_correct <= num_rollouts:
        raise ValueError(f"num_correct={num_correct} must lie between 0 and {num_rollouts}")
    if not 1 <= k <= num_rollouts:
        raise ValueError(
            f"k={k}: must lie between 1 and the {num_rollouts} rollouts; run more, or lower k"
        )
    return 1 - math.comb(num_rollouts - num_correct, k) / math.comb(num_rollouts, k)


def mean_pass_at_k(outcomes: Mapping[str, Sequence[bool]], k: int, *, seed: int = 0) -> Cell:
    """pass@k averaged over questions, bootstrap over questions. ``outcomes``: id -> rollouts."""
    values = [pass_at_k(len(o), sum(o), k) for _, o in sorted(outcomes.items())]
    return bootstrap_mean(values, seed=seed)


def hierarchical_bootstrap(scores: Mapping[tuple[str, str, str], float], *, seed: int = 0) -> Cell:
    """Mean score with an interval that knows seeds, question families and questions.

    ``scores``: (training seed, family, question id) -> score. Each resample draws training
    seeds with replacement, then families within each drawn seed, then questions within each
    drawn family: questions made from one disease family are not independent, and neither are
    answers of one checkpoint. The mean weighs every drawn question alike. ``n`` counts distinct
    questions.
    """
    if not scores:
        return EMPTY
    tree: dict[str, dict[str, list[float]]] = {}
    for (run, family, _), score in sorted(scores.items()):
        tree.setdefault(run, {}).setdefault(family, []).append(score)
    runs = [list(families.values()) for families in tree.values()]
    rng = np.random.default_rng(seed)
    means = _hierarchical_means(runs, rng)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Cell(
        value=math.fsum(scores.values()) / len(scores),
        low=float(low),
        high=float(high),
        n=len({question for _, _, question in scores}),
        method="hierarchical bootstrap 95%",
    )


def _hierarchical_means(runs: list[list[list[float]]], rng: np.random.Generator) -> np.ndarray:
    """Resampled means over runs -> families -> scores."""
    sizes = [np.array([len(family) for family in run]) for run in runs]
    starts = [np.cumsum(size) - size for size in sizes]
    values = [np.concatenate(run) for run in runs]
    means = np.empty(NUM_RESAMPLES)
    for resample in range(NUM_RESAMPLES):
        total, count = 0.0, 0
        for run in rng.integers(0, len(runs), len(runs)):
            drawn = rng.integers(0, len(sizes[run]), len(sizes[run]))
            of_family = np.repeat(drawn, sizes[run][drawn])
            within = (rng.random(of_family.size) * sizes[run][of_family]).astype(np.int64)
            total += values[run][starts[run][of_family] + within].sum()
            count += of_family.size
        means[resample] = total / count
    return means


def majority(answers: Sequence[str]) -> Cell:
    """Accuracy of always giving the most frequent gold answer, with Wilson's interval."""
    counts: dict[str, int] = {}
    for answer in answers:
        counts[answer] = counts.get(answer, 0) + 1
    return wilson(max(counts.values(), default=0), len(answers))


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
