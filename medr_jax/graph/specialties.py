"""Which organ systems a disease belongs to, from the phenotypes reported for it."""

import collections
import math

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Relation

SPECIALTIES: dict[str, tuple[str, ...]] = {
    "neurology": ("HP:0000707",),  # nervous system
    "ophthalmology": ("HP:0000478",),  # eye
    "head_and_neck": ("HP:0000152", "HP:0000598", "HP:0001608"),  # head or neck, ear, voice
    "musculoskeletal": ("HP:0033127", "HP:0040064"),  # musculoskeletal system, limbs
    "dermatology": ("HP:0001574", "HP:0000769"),  # integument, breast
    "cardiology": ("HP:0001626",),  # cardiovascular system
    "pulmonology": ("HP:0002086", "HP:0045027"),  # respiratory system, thoracic cavity
    "gastroenterology": ("HP:0025031",),  # digestive system
    "nephrology_and_urology": ("HP:0000119",),  # genitourinary system
    "endocrinology_and_metabolism": (
        "HP:0000818",  # endocrine system
        "HP:0001939",  # metabolism/homeostasis
        "HP:0001507",  # growth
    ),
    "hematology": ("HP:0001871",),  # blood and blood-forming tissues
    "immunology": ("HP:0002715",),  # immune system
}
"""Organ-system group -> HPO top-level branches.

Left out, because they are no organ system: neoplasm (its terms also stand below their organ),
constitutional symptom, abnormal cellular phenotype, prenatal development or birth.
"""

NOT_COVERED = {
    "infection": Relation.STUDIES,  # trials name infections too
    "therapy": Relation.INDICATED_FOR,
    "most of psychiatry": Relation.STUDIES,
}
"""What the HPO says little or nothing of -> the relation of a source that brings it."""

MIN_SHARE = 0.2
"""A group below this share of a disease's phenotypes is no label of it, unless dominant."""

_GROUP_OF_BRANCH = {branch: group for group, parts in SPECIALTIES.items() for branch in parts}


def phenotype_specialties(graph: KnowledgeGraph, phenotype_id: str) -> tuple[str, ...]:
    """Groups whose branches the phenotype lies below, sorted."""
    above = (phenotype_id, *graph.ancestors(phenotype_id))
    return tuple(sorted({_GROUP_OF_BRANCH[term] for term in above if term in _GROUP_OF_BRANCH}))


def specialty_shares(graph: KnowledgeGraph, disease_id: str) -> dict[str, float]:
    """Share of each group in the disease's positive phenotypes; sums to 1, or is empty.

    A phenotype below several groups counts for each with equal parts.
    """
    weights: dict[str, float] = collections.defaultdict(float)
    for phenotype_id in graph.targets(disease_id, Relation.HAS_PHENOTYPE):
        groups = phenotype_specialties(graph, phenotype_id)
        for group in groups:
            weights[group] += 1 / len(groups)
    # Python 3.12 made sum() of floats more exact: other versions drew the line elsewhere.
    total = math.fsum(weights.values())
    return {group: weights[group] / total for group in sorted(weights)}


def specialties(graph: KnowledgeGraph, disease_id: str) -> tuple[str, ...]:
    """Labels of a disease, the dominant group first; empty when no phenotype has a group."""
    shares = specialty_shares(graph, disease_id)
    ranked = sorted(shares, key=lambda group: (-shares[group], group))
    return tuple(group for i, group in enumerate(ranked) if i == 0 or shares[group] >= MIN_SHARE)


def not_covered(graph: KnowledgeGraph) -> tuple[str, ...]:
    """Fields that the graph's sources leave out; a card says so."""
    return tuple(
        field for field, brings in NOT_COVERED.items() if not graph.counts.get(f"pairs_{brings}")
    )
