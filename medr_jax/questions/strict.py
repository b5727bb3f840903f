"""Stricter rejections (``questions.strict``), for faults that readers found in a sample.

They are off by default because they also drop questions that are sound: the paper-like set has
them on, where a question less is no loss.
"""

import itertools
from collections.abc import Sequence
from enum import StrEnum

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.text import words
from medr_jax.questions.verify import COMMON_WORDS
from medr_jax.types import Entity, Hop, Kind, Relation

REGISTRIES = ("OMIM", "ORPHA", "DECIPHER")
_STEM = 5  # letters: "muscle" and "muscles" are one word
_TOLD = 0.5
"""Share of a name's telling words from which on a definition tells the name."""


class StrictReason(StrEnum):
    """Why a draft is rejected, beside ``verify.Reason``."""

    UNMERGED = "two diseases of one gene may be one disease in two registries"
    ACRONYM = "a gene's symbol abbreviates the disease"
    TELLING_DEFINITION = "the definition holds most words of the name"


def check_hops(graph: KnowledgeGraph, hops: Sequence[Hop]) -> StrictReason | None:
    """What is wrong with a chain whatever its clues are."""
    for there, back in itertools.pairwise(hops):
        ends = graph.entity(there.source_id), graph.entity(back.target_id)
        joined = there.relation is back.relation is Relation.ASSOCIATED_GENE and back.inverse
        if joined and may_be_one(*ends):
            return StrictReason.UNMERGED
    for hop in hops:
        if hop.relation is Relation.ASSOCIATED_GENE:
            ends = (hop.target_id, hop.source_id) if hop.inverse else (hop.source_id, hop.target_id)
            disease, gene = map(graph.entity, ends)
            if abbreviates(gene.name, (disease.name, *disease.synonyms)):
                return StrictReason.ACRONYM
    return None


def check_definition(graph: KnowledgeGraph, clue_text: str, answer_id: str) -> StrictReason | None:
    """Whether the definition that a phenotype is to be told by holds its name."""
    answer = graph.entity(answer_id)
    if answer.kind is not Kind.PHENOTYPE:
        return None
    said = {word[:_STEM] for word in words(clue_text)}
    for name in (answer.name, *answer.synonyms):
        telling = {word[:_STEM] for word in words(name) if word not in COMMON_WORDS}
        if telling and len(telling & said) >= _TOLD * len(telling):
            return StrictReason.TELLING_DEFINITION
    return None


def may_be_one(one: Entity, other: Entity) -> bool:
    """Whether two diseases may be the same, left apart: each stands in registries of its own.

    One that only Orphanet lists and one that only OMIM lists are often one disease, or a group and
    its member, for which no cross-reference says so.
    """
    if one.id in other.xrefs or other.id in one.xrefs:
        return True
    found, others = _registries(one), _registries(other)
    return bool(found) and bool(others) and found.isdisjoint(others)


def abbreviates(symbol: str, names: Sequence[str]) -> bool:
    """Whether a gene's symbol is made of a name's initials: CPT1A, carnitine palmitoyl
    transferase 1A deficiency.

    Three letters at least: of two, too many names begin with them.
    """
    letters = "".join(char for char in symbol.lower() if char.isalnum())
    for name in names:
        parts = words(name)
        initials = "".join(part if part[0].isdigit() else part[0] for part in parts)
        if len(letters) > 2 and initials.startswith(letters):
            return True
    return False


def _registries(entity: Entity) -> frozenset[str]:
    ids = (entity.id, *entity.xrefs)
    return frozenset(one for one in REGISTRIES if any(i.startswith(f"{one}:") for i in ids))
