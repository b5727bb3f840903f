"""Which names of the test questions occur in the training text."""

from collections.abc import Callable, Iterable, Iterator

from medr_jax.grading import match
from medr_jax.types import Kind, Question, Trajectory

_END = ""
"""Marks the end of a name in the word trie; no word is empty."""


def training_texts(trajectories: Iterable[Trajectory]) -> Iterator[str]:
    """Every text of the trajectories that a model trained on them reads, each once.

    Questions, thoughts, queries, titles and snippets of all hits (distractors included), tool
    messages and answers.
    """
    seen: set[str] = set()
    for trajectory in trajectories:
        for text in _texts(trajectory):
            if text and text not in seen:
                seen.add(text)
                yield text


def _texts(trajectory: Trajectory) -> Iterator[str]:
    yield trajectory.question.text
    for turn in trajectory.turns:
        yield turn.thought
        for call in turn.calls:
            yield from (str(value) for value in call.arguments.values())
        for result in turn.results:
            yield result.text
            for hit in result.hits:
                yield hit.title
                yield hit.snippet
        if turn.answer:
            yield turn.answer.text


def seen_names(texts: Iterable[str], names: Iterable[str]) -> set[str]:
    """The names (as given) that occur in any of the texts, normalised and bounded by words.

    All names are looked for in one pass with a trie of words: the cost is that of splitting
    the texts, however many names there are.
    """
    by_words: dict[tuple[str, ...], set[str]] = {}
    for name in names:
        if split := match.words(name):
            by_words.setdefault(split, set()).add(name)
    trie: dict = {}
    for split in by_words:
        node = trie
        for word in split:
            node = node.setdefault(word, {})
        node[_END] = split
    found: set[tuple[str, ...]] = set()
    for text in texts:
        found.update(_find(match.words(text), trie))
    return {name for split in found for name in by_words[split]}


def _find(words: tuple[str, ...], trie: dict) -> Iterator[tuple[str, ...]]:
    for start, first in enumerate(words):
        node = trie.get(first)
        position = start + 1
        while node is not None:
            if _END in node:
                yield node[_END]
            node = node.get(words[position]) if position < len(words) else None
            position += 1


def unseen_questions(
    questions: Iterable[Question],
    texts: Iterable[str],
    *,
    names: match.Names,
    kind_of: Callable[[str], Kind],
) -> tuple[frozenset[str], frozenset[str]]:
    """(unseen, unseen entities): ids of the questions whose names never occur in ``texts``.

    The second set asks it of the chain's diseases and genes, by any of their names; the first
    also of the answer, whatever its kind, with its aliases. Phenotypes on the way, clues and
    closed answers such as inheritance are shared between splits by design.
    """
    needed: dict[str, tuple[list[str], list[str]]] = {}
    for question in questions:
        entities = [
            name
            for entity_id in match.entity_ids(question.chain, question.answer_id)
            if kind_of(entity_id) in (Kind.DISEASE, Kind.GENE)
            for name in names(entity_id)
        ]
        answer = [question.answer, *question.answer_aliases, *names(question.answer_id)]
        needed[question.question_id] = (entities, answer)
    everything = {name for pair in needed.values() for part in pair for name in part}
    seen = seen_names(texts, everything)
    unseen_entities = frozenset(
        question_id for question_id, (entities, _) in needed.items() if seen.isdisjoint(entities)
    )
    unseen = frozenset(
        question_id for question_id in unseen_entities if seen.isdisjoint(needed[question_id][1])
    )
    return unseen, unseen_entities
