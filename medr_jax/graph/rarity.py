"""How little is recorded about a disease: curation, not epidemiology.

The HPO release holds no prevalence and no literature counts. A disease about which little is
recorded is therefore *sparsely annotated*; nothing here calls a disease rare (``frequency`` does,
where a source states what it takes).
"""

import collections
import re
from collections.abc import Sequence

import msgspec
import numpy as np

from medr_jax.graph import mondo_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Relation

MAX_INDIVIDUALS = 10
"""A disease with at most this many reported individuals is sparsely annotated."""

# Entries that describe a risk, a tumour or a mosaic, not a rare Mendelian disease: taken as
# seeds they give ischemic stroke, cervical cancer and schizophrenia.
_EXCLUDED_CLASSES = frozenset(
    {
        "MONDO:0042489",  # disease susceptibility
        "MONDO:0015356",  # hereditary neoplastic syndrome
        "MONDO:0045024",  # cancer or benign tumor
    }
)
_EXCLUDED_INHERITANCE = frozenset(
    {
        "HP:0001426",  # Non-Mendelian inheritance
        "HP:0001442",  # Typified by somatic mosaicism
        "HP:0010982",  # Polygenic inheritance
    }
)
_EXCLUDED_WORDS = re.compile(
    r"susceptib|predispos|\bsomatic\b|quantitative trait|\bqtl|modifier of|protection against"
    r"|resistance to|cancer|carcinoma|tumou?r|leuk[a]?emia|lymphoma|sarcoma|blastoma|glioma"
    r"|melanoma|neoplas",
    re.IGNORECASE,
)

_POLYGENIC = "POLYGENIC"  # an association type of HPO's genes_to_disease.txt


class Curation(msgspec.Struct, frozen=True, kw_only=True):
    """How much the snapshot records about one disease."""

    num_phenotypes: int  # distinct phenotypes, positive
    num_publications: int  # distinct PMIDs on any of its edges
    num_individuals: int | None  # reported individuals; None = no row gives a denominator


def reported_individuals(graph: KnowledgeGraph) -> dict[str, int]:
    """Individuals reported per disease: for each PMID the largest m of its n/m rows, summed.

    Diseases without such a row are absent: their number is unknown, not zero. A row with
    several PMIDs counts for the first, so a shared cohort is not summed twice within a row.
    """
    columns = graph.columns.arrays
    first = [_publications(cited)[:1] for cited in graph.columns.texts["references"]]
    largest: dict[tuple[int, str], int] = {}
    for row in np.flatnonzero(columns["num_observed"] > 0).tolist():
        for publication in first[columns["references"][row]]:
            cohort = (int(columns["source"][row]), publication)
            observed = int(columns["num_observed"][row])
            largest[cohort] = max(observed, largest.get(cohort, 0))
    totals: dict[str, int] = {}
    ids = graph.entity_ids()
    for (position, _), observed in sorted(largest.items()):
        totals[ids[position]] = totals.get(ids[position], 0) + observed
    return totals


def curation(graph: KnowledgeGraph, disease_id: str) -> Curation:
    """Depth of annotation of one disease."""
    largest: dict[str, int] = collections.defaultdict(int)
    publications: set[str] = set()
    for edge in graph.edges_of(disease_id):
        cited = _publications(edge.references)
        publications.update(cited)
        if cited and edge.num_observed:
            largest[cited[0]] = max(largest[cited[0]], edge.num_observed)
    return Curation(
        num_phenotypes=len(graph.targets(disease_id, Relation.HAS_PHENOTYPE)),
        num_publications=len(publications),
        num_individuals=sum(largest.values()) if largest else None,
    )


def _publications(references: Sequence[str]) -> list[str]:
    return [reference for reference in references if reference.startswith("PMID:")]


def is_sparsely_annotated(
    graph: KnowledgeGraph, disease_id: str, *, max_individuals: int = MAX_INDIVIDUALS
) -> bool:
    """True when individuals are counted and few; an unknown number is not a small one."""
    count = curation(graph, disease_id).num_individuals
    return count is not None and count <= max_individuals


def is_rare_seed_excluded(graph: KnowledgeGraph, disease_id: str) -> bool:
    """True for susceptibility, somatic, QTL and cancer-predisposition entries.

    Judged by MONDO class, by reported inheritance, by its genes (where the source types their
    association, and calls every one polygenic) and by the words of any of its titles; an
    immunodeficiency "with susceptibility to infections" is lost to that, on purpose.
    """
    if mondo_table.shipped().ancestors(disease_id) & _EXCLUDED_CLASSES:
        return True
    if not _EXCLUDED_INHERITANCE.isdisjoint(graph.targets(disease_id, Relation.INHERITED_AS)):
        return True
    if _is_polygenic(graph, disease_id):
        return True
    entity = graph.entity(disease_id)
    return any(_EXCLUDED_WORDS.search(text) for text in (entity.name, *entity.synonyms))


def _is_polygenic(graph: KnowledgeGraph, disease_id: str) -> bool:
    if _POLYGENIC not in graph.columns.texts["qualifier"]:
        return False
    types = {
        edge.qualifier
        for gene_id in graph.targets(disease_id, Relation.ASSOCIATED_GENE)
        for edge in graph.edges(disease_id, Relation.ASSOCIATED_GENE, gene_id)
    }
    return types == {_POLYGENIC}


def seed_diseases(
    graph: KnowledgeGraph, *, max_individuals: int = MAX_INDIVIDUALS
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(sparsely annotated, other) diseases that may seed a chain, excluded entries in neither.

    The first are ordered by reported individuals, fewest first; ties and the rest by id.
    Diseases without a positive phenotype are left out: nothing could be asked about them.
    """
    individuals = reported_individuals(graph)
    sparse, others = [], []
    for disease_id in graph.entity_ids(Kind.DISEASE):
        if not graph.targets(disease_id, Relation.HAS_PHENOTYPE):
            continue
        if is_rare_seed_excluded(graph, disease_id):
            continue
        few = individuals.get(disease_id, max_individuals + 1) <= max_individuals
        (sparse if few else others).append(disease_id)
    sparse.sort(key=lambda disease_id: (individuals[disease_id], disease_id))
    return tuple(sparse), tuple(others)
