"""From words, vectors and authority to one order."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from medr_jax.retrieval.authority import with_recency
from medr_jax.retrieval.columns import Columns
from medr_jax.retrieval.config import Fusion, IndexConfig

DIGITS = 6
"""Scores are rounded before they are compared, so that machines agree on ties."""


def lexical_relevance(scores_K: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Scores of the staged search, in its order, as relevance between 0 and 1.

    relevance_i = min(score_1 ... score_i) / score_1: a document of a looser stage is never more
    relevant than the one before it.
    """
    if not scores_K.size:
        return scores_K
    least_K = np.minimum.accumulate(scores_K)
    return least_K / max(float(least_K[0]), np.finfo(np.float32).tiny)


def reciprocal_ranks(ordinals_K: Int[np.ndarray, " K"], k: float) -> dict[int, float]:
    """1 / (k + rank), rank from 1 (Cormack et al., SIGIR 2009)."""
    return {int(o): 1.0 / (k + rank) for rank, o in enumerate(ordinals_K, start=1)}


def fused(
    lexical: Mapping[int, float], dense: Mapping[int, float], config: IndexConfig
) -> dict[int, float]:
    """Relevance between 0 and 1 of all documents that words or vectors found.

    Both maps are in order, best first. ``rrf``: sum of reciprocal ranks over its largest value.
    ``linear``: (1 - w) * relevance by words + w * cosine moved to [0, 1] over this query's
    documents; a document that only one of them found has 0 of the other.
    """
    if config.fusion is Fusion.rrf:
        parts = [
            reciprocal_ranks(np.asarray(list(found)), config.rrf_k) for found in (lexical, dense)
        ]
        total = {o: sum(part.get(o, 0.0) for part in parts) for o in {*lexical, *dense}}
    else:
        w = config.dense_weight
        low, high = min(dense.values(), default=0.0), max(dense.values(), default=0.0)
        near = {o: (cosine - low) / ((high - low) or 1.0) for o, cosine in dense.items()}
        total = {
            o: (1 - w) * lexical.get(o, 0.0) + w * near.get(o, 0.0) for o in {*lexical, *dense}
        }
    largest = max(total.values(), default=1.0) or 1.0
    return {ordinal: score / largest for ordinal, score in total.items()}


def with_authority(
    relevance: Mapping[int, float], columns: Columns, config: IndexConfig
) -> dict[int, float]:
    """lambda * relevance + (1 - lambda) * authority (the paper; lambda = relevance_weight).

    A retracted article has no authority, so it falls behind whatever is as relevant.
    """
    weight = config.relevance_weight
    if weight == 1.0:
        return dict(relevance)
    ordinals_K = np.fromiter(relevance, np.int64, len(relevance))
    authority_K = with_recency(
        columns.authority_N[ordinals_K],
        columns.date_N[ordinals_K],
        columns.graded_N[ordinals_K],
        newest=columns.newest,
        share=config.recency_share,
        half_life_years=config.recency_half_life_years,
    )
    return {
        ordinal: weight * relevance[ordinal] + (1 - weight) * float(authority)
        for ordinal, authority in zip(relevance, authority_K, strict=True)
    }
