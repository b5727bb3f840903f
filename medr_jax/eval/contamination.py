"""Which questions are about entities that the training text never names."""

from collections.abc import Callable, Iterable

from medr_jax.grading import match
from medr_jax.trajectories.exposure import NameFinder
from medr_jax.types import Kind, Question, Record, Trajectory


class Unseen(Record):
    """Ids of questions. ``fully`` is a subset of ``entities``."""

    fully: frozenset[str]  # diseases, genes and the answer of the chain are never named
    entities: frozenset[str]  # diseases and genes are never named; the answer may be


def unseen_questions(
    questions: Iterable[Question],
    training: Iterable[Trajectory],
    *,
    names: match.Names,
    kind_of: Callable[[str], Kind],
) -> Unseen:
    """The questions whose names occur in no text of the training trajectories.

    Every text counts that a model trained on them reads or writes: questions, thoughts,
    queries, all hits with their snippets (distractors included) and answers. An entity is
    named by any of its names, as whole normalised words; the answer also by its aliases.
    Clues, phenotypes on the way and closed answers such as inheritance are shared between
    splits by design.
    """
    needed: dict[str, tuple[list[str], str]] = {}
    looked_for: dict[str, tuple[str, ...]] = {}
    for question in questions:
        entities = [
            entity_id
            for entity_id in match.entity_ids(question.chain, question.answer_id)
            if kind_of(entity_id) in (Kind.DISEASE, Kind.GENE)
        ]
        answer = f"answer of {question.question_id}"
        looked_for.update((entity_id, names(entity_id)) for entity_id in entities)
        looked_for[answer] = (
            question.answer,
            *question.answer_aliases,
            *names(question.answer_id),
        )
        needed[question.question_id] = (entities, answer)
    seen = _seen(NameFinder(looked_for), training)
    unseen = {
        question_id: answer not in seen
        for question_id, (entities, answer) in needed.items()
        if seen.isdisjoint(entities)
    }
    return Unseen(
        fully=frozenset(question_id for question_id, fully in unseen.items() if fully),
        entities=frozenset(unseen),
    )


def _seen(finder: NameFinder, training: Iterable[Trajectory]) -> set[str]:
    seen: set[str] = set()
    for trajectory in training:
        seen.update(finder.named(trajectory))
    return seen
