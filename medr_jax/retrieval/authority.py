"""How far a document can be trusted, from what kind of evidence it is, its source and its age.

The order of evidence follows the Oxford CEBM levels of evidence (2011); the values between 0
and 1 are ours. Counts of annotations or citations never enter: they measure attention.
"""

from collections.abc import Iterable
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from medr_jax.retrieval.corpus import RETRACTED


class Evidence(StrEnum):
    """Kinds of evidence, strongest first."""

    SYSTEMATIC_REVIEW = "systematic_review"
    GUIDELINE = "guideline"
    REGULATORY = "regulatory"
    RANDOMISED_TRIAL = "randomised_trial"
    CLINICAL_TRIAL = "clinical_trial"
    OBSERVATIONAL = "observational"
    REVIEW = "review"
    ARTICLE = "article"
    TRIAL_PROTOCOL = "trial_protocol"
    CASE_REPORT = "case_report"
    PREPRINT = "preprint"
    OPINION = "opinion"
    RETRACTED = RETRACTED


AUTHORITY = {
    Evidence.SYSTEMATIC_REVIEW: 1.0,
    Evidence.GUIDELINE: 1.0,
    Evidence.REGULATORY: 0.9,  # drug labels and registers of a regulator
    Evidence.RANDOMISED_TRIAL: 0.9,
    Evidence.CLINICAL_TRIAL: 0.8,
    Evidence.OBSERVATIONAL: 0.7,
    Evidence.REVIEW: 0.6,
    Evidence.ARTICLE: 0.5,
    Evidence.TRIAL_PROTOCOL: 0.4,
    Evidence.CASE_REPORT: 0.4,
    Evidence.PREPRINT: 0.3,
    Evidence.OPINION: 0.2,
    Evidence.RETRACTED: 0.0,
}

UNGRADED = 0.5
"""Of every document whose source says nothing about evidence: constant, so it ranks nothing."""


def base_authority(evidence: Evidence) -> float:
    """The table's value, before recency."""
    return AUTHORITY[evidence]


def strongest(kinds: Iterable[Evidence]) -> Evidence:
    """The kind that counts for a document of several; a retraction outweighs them all."""
    found = set(kinds) or {Evidence.ARTICLE}
    return (
        Evidence.RETRACTED
        if Evidence.RETRACTED in found
        else max(sorted(found), key=AUTHORITY.__getitem__)
    )


def with_recency(
    authority_N: Float[np.ndarray, " N"],
    date_N: Int[np.ndarray, " N"],
    graded_N: Int[np.ndarray, " N"],
    *,
    newest: int,
    share: float,
    half_life_years: float,
) -> Float[np.ndarray, " N"]:
    """authority * (1 - share * (1 - 2^(-age / half_life))) where evidence is graded.

    Age is counted in years from ``newest``, the latest date in the index, so that a ranking
    does not change with the day it is made. An undated document counts as oldest; one without
    graded evidence has ``UNGRADED``, whatever its source: constants that differ between sources
    would rank whole sources.

    Args:
        date_N: 20250116, as ``date_number`` gives it; 0 = unknown.
        graded_N: 1 where the document states its evidence.
    """
    age_N = np.maximum(_years(np.asarray(newest)) - _years(date_N), 0.0)
    kept_N = 1.0 - share * (1.0 - np.exp2(-age_N / half_life_years))
    return np.where(graded_N > 0, authority_N * kept_N, UNGRADED)


def _years(date: np.ndarray) -> np.ndarray:
    """Years and months of 20250116 as a real number; a missing month counts as January."""
    months = np.maximum(date // 100 % 100, 1) - 1
    return date // 10_000 + months / 12.0
