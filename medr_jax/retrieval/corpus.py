"""Typed documents, and the documents that a knowledge graph is written up as."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from medr_jax.types import Edge, Entity, Kind, Polarity, Record, Relation

if TYPE_CHECKING:
    from medr_jax.graph.knowledge_graph import KnowledgeGraph

PHENOTYPIC_ABNORMALITY = "HP:0000118"
"""Its children are the organ-system branches under which a disease's findings are listed."""

DEFINITION = "Definition"
GENES = "Associated genes"
DISEASES = "Associated diseases"
INHERITANCE = "Inheritance"
ONSET = "Onset"
COURSE = "Clinical course"
ABSENT = "Reported absent"
OTHER_FINDINGS = "Other findings"  # phenotypes outside the organ-system branches
PARENTS = "Is a"
SYNONYMS = "Synonyms"

CURATED_AUTHORITY = 1.0
"""One value for the whole source: annotation counts measure curation, not trust."""

_FACTS = (
    (GENES, Relation.ASSOCIATED_GENE),
    (INHERITANCE, Relation.INHERITED_AS),
    (ONSET, Relation.HAS_ONSET),
    (COURSE, Relation.HAS_COURSE),
)


FACT_KINDS = (
    *(Kind.DRUG, Kind.PRODUCT, Kind.PATENT, Kind.EXCLUSIVITY),
    *(Kind.LABEL, Kind.TRIAL, Kind.PUBLICATION),
)
"""Kinds beside diseases, genes and phenotypes that have documents, where facts leave them."""
FACT_LABELS = {
    Relation.INDICATED_FOR: "Indicated for",
    Relation.CONTRAINDICATED_IN: "Contraindicated in",
    Relation.OFF_LABEL_FOR: "Off-label use",
    Relation.SIDE_EFFECT: "Side effects",
    Relation.DRUG_TARGET: "Targets",
    Relation.DRUG_ENZYME: "Enzymes",
    Relation.DRUG_CARRIER: "Carriers",
    Relation.DRUG_TRANSPORTER: "Transporters",
    Relation.DOSED_BY_GENE: "Pharmacogenes",
    Relation.IN_CLASS: "Drug class",
    Relation.CONTAINS: "Active ingredients",
    Relation.MADE_BY: "Applicant or maker",
    Relation.APPROVED_ON: "Approved on",
    Relation.PROTECTED_BY: "Patents and exclusivities",
    Relation.EXPIRES_ON: "Expires on",
    Relation.DESCRIBES: "Label of",
    Relation.DATED: "Version of",
    Relation.STUDIES: "Conditions",
    Relation.TESTS: "Interventions",
    Relation.SPONSORED_BY: "Lead sponsor",
    Relation.STARTED_ON: "Started on",
    Relation.COMPLETED_ON: "Completed on",
    Relation.HAS_STATUS: "Status",
    Relation.HAS_PHASE: "Phase",
    Relation.PUBLISHED_IN: "Journal",
    Relation.PUBLISHED_ON: "Published on",
    Relation.FIRST_AUTHOR: "First author",
    Relation.ABOUT: "Index terms",
    Relation.REPORTS_TRIAL: "Reports the trial",
    Relation.RETRACTED_BY: "Retracted by",
}
"""How a document says what is stated of its subject. Pairs by the hundred (synergies) are left
out."""
IDENTIFIERS = "Identifiers"


RETRACTED = "retracted"
"""The ``evidence`` of a withdrawn article."""


class Document(Record):
    """What is indexed, shown and cited.

    ``segments`` hold one statement each, either a list (``"Label: item; item."``, see
    ``list_segment``) or prose, with or without a label.
    """

    doc_id: str
    kind: str
    title: str
    synonyms: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()  # its own id and those of other registries
    date: str = ""  # ISO: "2025-01-16"
    source: str = ""
    licence: str = ""
    authority: float = CURATED_AUTHORITY
    references: tuple[str, ...] = ()  # publications behind it: "PMID:..."
    # An ``Evidence`` value; left out of the JSON where a source says nothing about evidence.
    evidence: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def heading(self) -> str:
        """The title as it is shown: with a warning where the article was retracted."""
        return f"[RETRACTED] {self.title}" if self.evidence == RETRACTED else self.title


def list_segment(label: str, items: Iterable[str]) -> str:
    """``"Label: item; item."``; a semicolon inside an item becomes a comma."""
    return f"{label}: {'; '.join(_line(item).replace(';', ',') for item in items)}."


def prose_segment(label: str, text: str) -> str:
    """``"Label. Sentence. Sentence."``: read as sentences, however many semicolons it holds."""
    return f"{_line(label).rstrip('.:')}. {text}" if label else text


def documents_from_graph(graph: "KnowledgeGraph") -> Iterator[Document]:
    """Every disease, gene and phenotype of the graph as a document, in order of kind and id.

    Then the drugs, products, trials and so on of which something is stated (``FACT_KINDS``).

    Names are written as the graph has them, so that a document states an answer literally.
    """
    origin = _Origin(graph)
    for disease_id in graph.entity_ids(Kind.DISEASE):
        yield _disease(graph, origin, disease_id)
    for gene_id in graph.entity_ids(Kind.GENE):
        yield _gene(graph, origin, gene_id)
    for phenotype_id in graph.entity_ids(Kind.PHENOTYPE):
        yield _phenotype(graph, origin, phenotype_id)
    for kind in FACT_KINDS:
        for entity_id in graph.entity_ids(kind):
            if segments := _facts(graph, entity_id):
                yield origin.document(graph.entity(entity_id), segments)


class _Origin:
    """What all documents of one graph share, worked out once."""

    def __init__(self, graph: "KnowledgeGraph") -> None:
        date = re.search(r"\d{4}-\d{2}-\d{2}", graph.snapshot)
        self.source = graph.snapshot
        self.date = date.group() if date else ""
        self.licence = "; ".join(graph.licences)
        top = graph.children(PHENOTYPIC_ABNORMALITY) if PHENOTYPIC_ABNORMALITY in graph else ()
        self._labels = {branch: graph.entity(branch).name for branch in top}
        self._graph = graph
        self._branches: dict[str, tuple[str, ...]] = {}

    def branches(self, phenotype_id: str) -> tuple[str, ...]:
        """Labels of the branches that hold the phenotype; it can stand in several."""
        found = self._branches.get(phenotype_id)
        if found is None:
            above = self._graph.ancestors(phenotype_id) | {phenotype_id}
            held = sorted(self._labels[branch] for branch in self._labels.keys() & above)
            found = tuple(held) or (OTHER_FINDINGS,)
            self._branches[phenotype_id] = found
        return found

    def document(self, entity: Entity, segments: list[str], references=()) -> Document:
        """The entity's document with the fields that do not depend on its kind."""
        return Document(
            doc_id=entity.id,
            kind=str(entity.kind),
            title=_line(entity.name),
            synonyms=tuple(_line(synonym) for synonym in entity.synonyms),
            segments=tuple(segments),
            identifiers=tuple(sorted({entity.id, *entity.xrefs})),
            date=self.date,
            source=self.source,
            licence=self.licence,
            references=tuple(references),
        )


def _disease(graph: "KnowledgeGraph", origin: _Origin, disease_id: str) -> Document:
    entity = graph.entity(disease_id)
    edges: dict[tuple[Relation, Polarity], dict[str, list[Edge]]] = defaultdict(dict)
    publications = set()
    for edge in graph.edges_of(disease_id):
        stated = edges[edge.relation, edge.polarity]
        stated.setdefault(edge.target, []).append(edge)
        publications.update(ref for ref in edge.references if ref.startswith("PMID:"))

    segments = _definition(entity)
    for label, relation in _FACTS:
        if targets := edges.get((relation, Polarity.POSITIVE)):
            segments.append(list_segment(label, _names(graph, targets)))
    findings: dict[str, list[str]] = defaultdict(list)
    for phenotype_id, stated in edges[Relation.HAS_PHENOTYPE, Polarity.POSITIVE].items():
        finding = graph.entity(phenotype_id).name + _counted(stated)
        for branch in origin.branches(phenotype_id):
            findings[branch].append(finding)
    segments += [list_segment(branch, _ordered(findings[branch])) for branch in sorted(findings)]
    if absent := edges[Relation.HAS_PHENOTYPE, Polarity.EXCLUDED]:
        segments.append(list_segment(ABSENT, _names(graph, absent)))
    return origin.document(entity, segments, sorted(publications))


def _gene(graph: "KnowledgeGraph", origin: _Origin, gene_id: str) -> Document:
    entity = graph.entity(gene_id)
    segments = _definition(entity)
    if diseases := graph.sources(gene_id, Relation.ASSOCIATED_GENE):
        segments.append(list_segment(DISEASES, _names(graph, diseases)))
    return origin.document(entity, segments)


def _phenotype(graph: "KnowledgeGraph", origin: _Origin, phenotype_id: str) -> Document:
    entity = graph.entity(phenotype_id)
    segments = _definition(entity)
    if parents := graph.parents(phenotype_id):
        segments.append(list_segment(PARENTS, _names(graph, parents)))
    return origin.document(entity, segments)


def _facts(graph: "KnowledgeGraph", entity_id: str) -> list[str]:
    """What is stated of an entity, a list for each relation; empty where nothing is."""
    stated = [
        list_segment(label, _names(graph, targets))
        for relation, label in FACT_LABELS.items()
        if (targets := graph.targets(entity_id, relation))
    ]
    if not stated:
        return []
    entity = graph.entity(entity_id)
    known = sorted({number(one) for one in (entity.id, *entity.xrefs)})
    return [*_definition(entity), list_segment(IDENTIFIERS, known), *stated]


def number(entity_id: str) -> str:
    """An identifier as people write it: "PMID:1" -> "PMID 1", "FDA:N1-001" -> "N1-001"."""
    registry, _, local = entity_id.rpartition(":")
    return f"{registry} {local}" if registry in ("PMID", "DOI") else local


def _definition(entity: Entity) -> list[str]:
    return [f"{DEFINITION}: {_line(entity.definition)}"] if entity.definition else []


def _counted(stated: list[Edge]) -> str:
    """``" (14/15)"`` from the report with the most individuals, else ``" (40%)"``, else ``""``."""
    counts = [
        (edge.num_observed, edge.num_affected)
        for edge in stated
        if edge.num_observed and edge.num_affected is not None
    ]
    if counts:
        observed, affected = max(counts)
        return f" ({affected}/{observed})"
    shares = sorted(edge.frequency for edge in stated if edge.frequency.endswith("%"))
    return f" ({shares[-1]})" if shares else ""


def _names(graph: "KnowledgeGraph", entity_ids: Iterable[str]) -> list[str]:
    return _ordered(graph.entity(entity_id).name for entity_id in entity_ids)


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.casefold(), name))


def _line(text: str) -> str:
    return " ".join(text.split())
