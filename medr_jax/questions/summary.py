"""What a set of questions consists of, and what two sets have in common."""

import collections
from collections.abc import Iterable

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.compose import start_of
from medr_jax.questions.config import CHAINS
from medr_jax.types import OPEN_KINDS, Question


def summarize(questions: Iterable[Question]) -> dict[str, dict[str, int]]:
    """Counts by hop count, answer kind, start, sequence of relations and first specialty.

    ``open_answers`` counts open-class answers by hop count.
    """
    names = ("hops", "open_answers", "answer_kinds", "starts", "forms", "specialties")
    counts: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in names}
    for question in questions:
        hops = str(question.num_hops)
        counts["hops"][hops] += 1
        counts["open_answers"][hops] += question.answer_kind in OPEN_KINDS
        counts["answer_kinds"][question.answer_kind] += 1
        begins = start_of(question.chain) if question.form == CHAINS else question.form
        counts["starts"][begins] += 1
        counts["forms"][str(question.proof["forms"]) or "none"] += 1
        counts["specialties"][(question.specialties or ("none",))[0]] += 1
    return {name: dict(sorted(found.items())) for name, found in counts.items()}


def entities_of(question: Question) -> frozenset[str]:
    """Every entity that a question is about: seed, clues, bridges and answer."""
    chain = question.chain
    clues = (clue.entity_id for clue in chain.clues)
    hops = (one for hop in chain.hops for one in (hop.source_id, hop.target_id))
    members = (names[0] for names in question.answer_set or ())
    return frozenset({chain.seed_id, question.answer_id, *clues, *hops, *members} - {""})


def shared_entities(
    graph: KnowledgeGraph, one: Iterable[Question], other: Iterable[Question]
) -> dict[str, int]:
    """Number of entities by kind that occur in questions of both sets.

    Between splits this is zero for diseases and genes; phenotypes, modes, onsets and courses
    are shared.
    """
    both = _all_entities(one) & _all_entities(other)
    return dict(sorted(collections.Counter(graph.entity(each).kind for each in both).items()))


def _all_entities(questions: Iterable[Question]) -> frozenset[str]:
    return frozenset().union(*map(entities_of, questions))
