"""Disease families: what must stay on one side of a train/test split."""

import collections
import re

from medr_jax.graph import mondo_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Relation

MAX_GENES = 3
"""A disease with more genes than this joins nothing by its genes, and only trains."""
MAX_SIBLINGS = 3
"""A MONDO parent makes a family of its children when it has no more than this many."""
MAX_FAMILY_SIZE = 200
"""Families with more diseases than this only train: they would swallow a split."""

_NUMBER = r"(?:\d+[a-z]{0,2}\d?|[ivx]{1,5}[a-h]?\d?)"
_COUNTER = r"(?:complementation\s+group|subtype|type|form|group)"
_AT_END = re.compile(
    rf"(?P<stem>.{{4,}}?)[,;]?\s+(?:{_COUNTER}\s+(?:{_NUMBER}|[a-z]\d?)|{_NUMBER})"
)
# A number in the middle counts only before a comma: "microcephaly 7, primary".
_IN_MIDDLE = re.compile(rf"(?P<stem>.{{4,}}?)[,;]?\s+(?:{_COUNTER}\s+{_NUMBER}|\d+[a-z]?)[,;]\s.*")
_MODE = r"(?:autosomal|x-linked|y-linked|dominant|recessive|semidominant|digenic|mitochondrial)"
_QUALIFIER = re.compile(
    rf"(?:,\s*|\s+)(?:with(?:out)?\b.*|susceptibility to|{_MODE}(?:[ -]+{_MODE})*)$"
)


def series_stem(name: str) -> str | None:
    """ "X" of a numbered name such as "X 12", "X, type IIIA" or "X 7, primary", else None.

    The stem is case-folded; trailing modes of inheritance and "with ..." are looked past.
    """
    text = " ".join(name.casefold().split())
    while True:
        match = _AT_END.fullmatch(text) or _IN_MIDDLE.fullmatch(text)
        if match:
            return re.sub(rf",?\s*{_COUNTER}$", "", match["stem"]).strip(" ,;")
        shorter = _QUALIFIER.sub("", text)
        if shorter == text:
            return None
        text = shorter


class _Groups:
    """Union-find over names; a group is called by its smallest member."""

    def __init__(self) -> None:
        self._leader: dict[str, str] = {}

    def find(self, member: str) -> str:
        leader = self._leader.setdefault(member, member)
        while leader != self._leader[leader]:
            self._leader[member] = self._leader[leader]
            member, leader = leader, self._leader[leader]
        return leader

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self._leader[high] = low


def disease_families(
    graph: KnowledgeGraph,
    *,
    max_genes: int = MAX_GENES,
    max_siblings: int = MAX_SIBLINGS,
    max_family_size: int = MAX_FAMILY_SIZE,
) -> dict[str, str]:
    """Family of every disease and gene; "" = train only.

    Diseases are of one family when they share a name, a numbered series ("X 12", and "X"
    itself), a specific MONDO parent (or one is the parent of the other), a broader/narrower
    link, or a gene, where only diseases of at most ``max_genes`` genes count. A family is named
    after its smallest disease id. "" stands for diseases with more genes, members of families
    of more than ``max_family_size`` diseases, and genes that only such diseases have.
    """
    diseases = graph.entity_ids(Kind.DISEASE)
    groups = _Groups()
    _join_names(graph, groups)
    _join_mondo(graph, groups, max_siblings)
    for disease_id in diseases:
        for narrower in graph.targets(disease_id, Relation.BROADER_THAN):
            groups.join(disease_id, narrower)
    genes_of = {
        disease_id: graph.targets(disease_id, Relation.ASSOCIATED_GENE) for disease_id in diseases
    }
    for disease_id, genes in genes_of.items():
        if len(genes) <= max_genes:
            for gene_id in genes:
                groups.join(disease_id, gene_id)
    members: dict[str, list[str]] = collections.defaultdict(list)
    for disease_id in diseases:
        members[groups.find(disease_id)].append(disease_id)
    families = dict.fromkeys((*diseases, *graph.entity_ids(Kind.GENE)), "")
    for entity_id in families:
        family = members.get(groups.find(entity_id), [])
        if 0 < len(family) <= max_family_size and len(genes_of.get(entity_id, ())) <= max_genes:
            families[entity_id] = family[0]
    return families


def _join_names(graph: KnowledgeGraph, groups: _Groups) -> None:
    stems: dict[str, str] = {}
    for disease_id in graph.entity_ids(Kind.DISEASE):
        entity = graph.entity(disease_id)
        for text in (entity.name, *entity.synonyms):
            if (stem := series_stem(text)) is not None:
                groups.join(disease_id, stems.setdefault(stem, disease_id))
        for other in graph.same_name(disease_id):
            if graph.entity(other).kind is Kind.DISEASE:
                groups.join(disease_id, other)
    for disease_id in graph.entity_ids(Kind.DISEASE):
        stem = " ".join(graph.entity(disease_id).name.casefold().split())
        if stem in stems:  # the unnumbered "X" of a series
            groups.join(disease_id, stems[stem])


def _join_mondo(graph: KnowledgeGraph, groups: _Groups, max_siblings: int) -> None:
    table = mondo_table.shipped()
    for disease_id in graph.entity_ids(Kind.DISEASE):
        for parent in table.parents(disease_id):
            if len(table.children[parent]) <= max_siblings:
                groups.join(disease_id, parent)
