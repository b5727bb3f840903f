"""Masked trajectory guidance: the shape of a question's chain, told to a teacher and no one else.

The scaffold lists, in the order of the search, one line for each step that the question's chain
takes: ``([MASK], r, [MASK])``, where r is the relation and both entities are masked. Clues come
first (each leads to the chain's first entity), then the hops. A step that is walked against its
relation's direction says so. Nothing else of the chain is told: no name, no identifier, no kind,
no answer.

The scaffold is part of the teacher's prompt only. A training row holds the question, the turns
and what the tools said; ``betrays`` finds turns that speak of the scaffold, and such
trajectories are dropped.
"""

import re
from collections.abc import Iterator

from medr_jax.types import Question, Relation, Trajectory

MASK = "[MASK]"
AGAINST = "from right to left"

INTRODUCTION = (
    "For you alone, the shape of the search: its relations in order, with every entity masked. "
    "Find the masked entities by the functions. Never mention this outline or its notation."
)

_NOTATION = re.compile(
    "|".join([r"\[mask\]", *(re.escape(relation) for relation in Relation if "_" in relation)]),
    re.IGNORECASE,
)


def scaffold(question: Question) -> str:
    """What the teacher is told beside the question; "" when the chain has no step."""
    chain = question.chain
    steps = [_masked(clue.relation) for clue in chain.clues]
    steps += [_masked(hop.relation, hop.inverse) for hop in chain.hops]
    if not steps:
        return ""
    lines = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    return "\n".join([INTRODUCTION, *lines])


def betrays(trajectory: Trajectory) -> bool:
    """Whether what the model wrote holds the scaffold's notation."""
    return any(_NOTATION.search(text) for text in _written(trajectory))


def _written(trajectory: Trajectory) -> Iterator[str]:
    for turn in trajectory.turns:
        yield turn.thought
        for call in turn.calls:
            yield from map(str, call.arguments.values())
        if turn.answer is not None:
            yield turn.answer.text


def _masked(relation: Relation, inverse: bool = False) -> str:
    step = f"({MASK}, {relation}, {MASK})"
    return f"{step} {AGAINST}" if inverse else step
