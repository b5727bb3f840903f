"""How rare an entity is, said in three ways that must not be taken for one another.

*Literature*: how many texts of a stated corpus mention it (the paper's rule: under one in a
million, which is about 30 of 30 million abstracts). *Epidemiology*: a prevalence band. *Curation*:
how little the graph records (``rarity.curation``). Only the first two can make an entity "rare";
where neither is stated it is at most "sparsely annotated".
"""

import re
from enum import StrEnum

import msgspec

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.rarity import MAX_INDIVIDUALS, Curation, curation
from medr_jax.types import Kind, Polarity, Relation

MAX_SHARE = 1e-6
"""Of a corpus's texts; an entity in fewer is rare in the literature (paper §3.1)."""
MAX_PREVALENCE = 5e-4
"""A disease of at most 5 in 10,000 people is rare (Regulation (EC) No 141/2000)."""

_BAND = re.compile(r"([<>])?\s*(?:(\d+)\s*-\s*)?(\d+)\s*/\s*(\d[\d\s]*)")


class Label(StrEnum):
    """What may be said of an entity."""

    RARE_IN_LITERATURE = "rare in the literature"
    RARE_DISEASE = "rare disease"
    SPARSELY_ANNOTATED = "sparsely annotated"


class Mentions(msgspec.Struct, frozen=True, kw_only=True):
    """Texts of a corpus that mention an entity."""

    corpus: str
    count: int
    total: int

    @property
    def share(self) -> float:
        """Of the corpus's texts."""
        return self.count / self.total


class Prevalence(msgspec.Struct, frozen=True, kw_only=True):
    """A band as the source states it, and the people in it per person at most."""

    band: str
    at_most: float | None  # None: the band has no upper end (">1 / 1000")
    area: str = ""


class Rarity(msgspec.Struct, frozen=True, kw_only=True):
    """The three scores of one entity, None where nothing is stated."""

    mentions: Mentions | None
    prevalence: Prevalence | None
    curation: Curation | None

    @property
    def labels(self) -> tuple[Label, ...]:
        """Everything that the scores allow to say."""
        found = []
        if self.mentions and self.mentions.share < MAX_SHARE:
            found.append(Label.RARE_IN_LITERATURE)
        if self.prevalence and (self.prevalence.at_most or 1) <= MAX_PREVALENCE:
            found.append(Label.RARE_DISEASE)
        individuals = self.curation.num_individuals if self.curation else None
        if individuals is not None and individuals <= MAX_INDIVIDUALS:
            found.append(Label.SPARSELY_ANNOTATED)
        return tuple(found)


def mentions(graph: KnowledgeGraph, entity_id: str) -> Mentions | None:
    """From ``mentioned_in`` edges, whose n/m is texts with a mention / texts; of several
    corpora the largest."""
    found = []
    for corpus in graph.targets(entity_id, Relation.MENTIONED_IN):
        for edge in graph.edges(entity_id, Relation.MENTIONED_IN, corpus):
            if edge.num_observed and edge.num_affected is not None:
                name = graph.entity(corpus).name
                found.append(
                    Mentions(corpus=name, count=edge.num_affected, total=edge.num_observed)
                )
    return max(found, key=lambda one: (one.total, one.count, one.corpus), default=None)


def prevalence(graph: KnowledgeGraph, disease_id: str) -> Prevalence | None:
    """From ``has_prevalence`` edges; of several bands the widest claim, worldwide before areas.

    Counts of cases or families state no prevalence.
    """
    found = []
    for band_id in graph.targets(disease_id, Relation.HAS_PREVALENCE, Polarity.POSITIVE):
        band = graph.entity(band_id).name
        if not _BAND.fullmatch(band):
            continue
        for edge in graph.edges(disease_id, Relation.HAS_PREVALENCE, band_id):
            area = edge.qualifier.rpartition("; ")[2]
            found.append(Prevalence(band=band, at_most=band_limit(band), area=area))
    worldwide = [one for one in found if one.area == "Worldwide"]
    return max(
        worldwide or found,
        key=lambda one: (one.at_most if one.at_most is not None else 1.0, one.band, one.area),
        default=None,
    )


def band_limit(band: str) -> float | None:
    """Upper end of "1-9 / 100 000" (9e-5) or "<1 / 1 000 000"; None for ">1 / 1000".

    Raises:
        ValueError: not a band.
    """
    match = _BAND.fullmatch(band)
    if not match:
        raise ValueError(f"{band!r} is no prevalence band such as '1-9 / 100 000'")
    if match[1] == ">":
        return None
    return int(match[3]) / int(match[4].replace(" ", ""))


def rarity(graph: KnowledgeGraph, entity_id: str) -> Rarity:
    """All that the graph states about how rare an entity is."""
    is_disease = graph.entity(entity_id).kind is Kind.DISEASE
    return Rarity(
        mentions=mentions(graph, entity_id),
        prevalence=prevalence(graph, entity_id) if is_disease else None,
        curation=curation(graph, entity_id) if is_disease else None,
    )


def rare_diseases(graph: KnowledgeGraph) -> frozenset[str]:
    """Diseases that mentions or prevalence make rare.

    Raises:
        ValueError: the graph states neither of any disease, so none can be called rare.
    """
    diseases = graph.entity_ids(Kind.DISEASE)
    scores = {one: (mentions(graph, one), prevalence(graph, one)) for one in diseases}
    if not any(any(score) for score in scores.values()):
        raise ValueError(
            f"{graph.snapshot} states no prevalence and no mentions, so no disease can be called "
            "rare: add a source of format orphanet or mentioned_in triples, or ask for seeds "
            "that are sparsely annotated (questions.seeds=sparse)"
        )
    said = {
        one: Rarity(mentions=found, prevalence=band, curation=None).labels
        for one, (found, band) in scores.items()
    }
    return frozenset(one for one, labels in said.items() if labels)
