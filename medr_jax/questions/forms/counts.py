"""Which stated counts and absences a question may rest on."""

import math

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Polarity, Relation

MIN_OBSERVED = 10
"""Individuals from which on a count says something."""
Z = 1.2816
"""Of the Wilson interval: each bound holds with 90%, both with 80%. 14 of 15 is then within the
band above 80%, which 9 of 10 is not."""
BANDS = {
    "very rare": (0.0, 0.05),
    "occasional": (0.05, 0.3),
    "frequent": (0.3, 0.8),
    "very frequent": (0.8, 1.0),
}
"""HPO's frequency terms (HP:0040284 to HP:0040281), obligate being part of the last."""


def wilson(affected: int, observed: int, z: float = Z) -> tuple[float, float]:
    """Both ends of the score interval of a share (Wilson 1927)."""
    share, spread = affected / observed, z * z / observed
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / observed + spread / (4 * observed)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def band_of(affected: int, observed: int) -> str:
    """The band that holds the whole interval; "" for too few individuals or where none does."""
    if observed < MIN_OBSERVED or not 0 < affected <= observed:
        return ""
    low, high = wilson(affected, observed)
    return next((name for name, (a, b) in BANDS.items() if a <= low and high <= b), "")


def counted(graph: KnowledgeGraph, disease: str, term: str) -> tuple[int, int] | None:
    """n and m of the report with the most individuals, which is what a document shows.

    None without a count, or where that report cites no publication.
    """
    reports = [
        ((edge.num_observed, edge.num_affected), edge.references)
        for edge in graph.edges(disease, Relation.HAS_PHENOTYPE, term)
        if edge.num_observed and edge.num_affected is not None
    ]
    if not reports:
        return None
    (observed, affected), references = max(reports)
    published = any(one.startswith("PMID:") for one in references)
    return (affected, observed) if published else None


def absent(graph: KnowledgeGraph, disease: str, having: frozenset[str]) -> tuple[str, ...]:
    """Phenotypes that a disease is firmly reported without: stated NOT, or 0 of at least ten.

    ``having`` are the disease's positive annotations and everything above them: what is among
    these was seen after all, in some report.
    """
    return tuple(
        term
        for term in graph.targets(disease, Relation.HAS_PHENOTYPE, Polarity.EXCLUDED)
        if term not in having
        and any(
            edge.num_observed is None or edge.num_observed >= MIN_OBSERVED
            for edge in graph.edges(disease, Relation.HAS_PHENOTYPE, term)
        )
    )
