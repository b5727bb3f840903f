"""What an agent's searches brought up: entities of the chain, documents that state the answer."""

from collections.abc import Callable, Iterable, Sequence

from medr_jax.grading import match
from medr_jax.types import Hit, Trajectory

DocumentText = Callable[[str], str]
"""The whole text of a document by id, "" when there is none."""


def shown_hits(trajectory: Trajectory) -> Iterable[Hit]:
    """Every hit the agent saw, in order."""
    for turn in trajectory.turns:
        for result in turn.results:
            yield from result.hits


def cited_documents(trajectory: Trajectory) -> tuple[str, ...]:
    """Distinct documents that the answer cites, in order."""
    answer = trajectory.answer
    return tuple(dict.fromkeys(answer.citations)) if answer else ()


def supporting_documents(
    trajectory: Trajectory, names: match.Names, document_text: DocumentText
) -> tuple[str, ...]:
    """Those of the cited documents that were shown and state the answer; see ``match.supports``."""
    question = trajectory.question
    shown = {hit.doc_id for hit in shown_hits(trajectory)}
    return tuple(
        doc_id
        for doc_id in cited_documents(trajectory)
        if doc_id in shown and match.supports(doc_id, document_text(doc_id), question, names)
    )


def holds_next(hits: Sequence[Hit], chain: tuple[str, ...], found: int, names: match.Names) -> bool:
    """Whether hits hold the chain's entity number ``found``, those before it being found.

    One does when it is the document about that entity, or the document about the entity before
    it and names it in what was shown (title and snippet).
    """
    wanted = chain[found]
    previous = chain[found - 1] if found else None
    return any(
        hit.doc_id == wanted
        or (hit.doc_id == previous and match.mentions(f"{hit.title} {hit.snippet}", names(wanted)))
        for hit in hits
    )


def entities_found(trajectory: Trajectory, names: match.Names) -> tuple[tuple[int, ...], int]:
    """How many of the chain's entities the results had held after each turn, and of how many.

    In the chain's order: one that comes up before its predecessor does not count yet.
    """
    chain = match.entity_ids(trajectory.question.chain, trajectory.question.answer_id)
    found, after = 0, []
    for turn in trajectory.turns:
        for result in turn.results:
            while found < len(chain) and holds_next(result.hits, chain, found, names):
                found += 1
        after.append(found)
    return tuple(after), len(chain)
