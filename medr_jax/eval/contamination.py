"""What training text and evaluation questions share: names of entities, and runs of words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from medr_jax.eval.benchmarks.base import BenchmarkItem
from medr_jax.grading import match
from medr_jax.trajectories.exposure import NameFinder
from medr_jax.types import Kind, Question, Record, Trajectory

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]+")
_WORD = re.compile(r"[^\W_]+")


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
            *(names(question.answer_id) if question.answer_id else ()),
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


class ItemOverlap(Record):
    """What one benchmark question shares with the training text. Holds no text."""

    item_id: str
    entity_ids: tuple[str, ...]  # named in its question or answers, and in the training text
    answer_named: bool  # an entity that an accepted answer names is among them
    ngram_share: float  # of the question's runs of ``n`` words, how many the training text has


class SharedEntity(Record):
    """An entity that benchmark and training text name."""

    entity_id: str
    name: str  # the graph's, whatever the question calls it
    num_items: int  # questions that name it, or whose answer does


class Overlap(Record):
    """What a benchmark shares with the training text. Holds no text of the benchmark."""

    num_items: int
    n: int  # words in a run
    num_with_entity: int  # questions with an entity that the training text names
    num_with_answer: int
    num_with_ngram: int  # questions with at least one run of words in common
    mean_ngram_share: float
    items: tuple[ItemOverlap, ...]  # those that share anything
    entities: tuple[SharedEntity, ...]  # those that most questions name first


def overlap(
    items: Sequence[BenchmarkItem],
    training_texts: Iterable[str],
    names: Mapping[str, Sequence[str]],
    *,
    n: int = 8,
) -> Overlap:
    """Entities and runs of ``n`` normalised words that benchmark and training text share.

    ``names``: entity id -> its names, its own first; only these are looked for. The training
    text is read once, whatever its size. Questions shorter than ``n`` words count as one run.
    Passages that come with a question and options that are wrong are not looked at.

    Raises:
        ValueError: ``n`` is below 1, or there are no items.
    """
    if n < 1 or not items:
        raise ValueError(f"n={n}, {len(items)} items: needs runs of at least 1 word and an item")
    finder = _Finder(names)
    answers = {item.item_id: finder.written(item.answer_text, *item.aliases) for item in items}
    asked = {item.item_id: answers[item.item_id] | finder.written(item.question) for item in items}
    runs = {item.item_id: frozenset(_runs(item.question, n)) for item in items}
    wanted = frozenset().union(*runs.values())
    lengths = sorted({len(run) for run in wanted})
    seen_entities: set[str] = set()
    seen_runs: set[tuple[str, ...]] = set()
    for text in training_texts:
        seen_entities |= finder.in_any_case(text)
        words = match.words(text)
        for length in lengths:
            seen_runs.update(wanted.intersection(_windows(words, length)))
    found = [
        ItemOverlap(
            item_id=item.item_id,
            entity_ids=tuple(sorted(asked[item.item_id] & seen_entities)),
            answer_named=not answers[item.item_id].isdisjoint(seen_entities),
            ngram_share=len(runs[item.item_id] & seen_runs) / max(1, len(runs[item.item_id])),
        )
        for item in items
    ]
    return Overlap(
        num_items=len(items),
        n=n,
        num_with_entity=sum(bool(one.entity_ids) for one in found),
        num_with_answer=sum(one.answer_named for one in found),
        num_with_ngram=sum(one.ngram_share > 0 for one in found),
        mean_ngram_share=sum(one.ngram_share for one in found) / len(found),
        items=tuple(one for one in found if one.entity_ids or one.ngram_share),
        entities=_shared(found, names),
    )


def _shared(
    found: Sequence[ItemOverlap], names: Mapping[str, Sequence[str]]
) -> tuple[SharedEntity, ...]:
    counts = Counter(entity_id for one in found for entity_id in one.entity_ids)
    return tuple(
        SharedEntity(entity_id=entity_id, name=names[entity_id][0], num_items=count)
        for entity_id, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    )


class _Finder:
    """Names in benchmark text, where a symbol counts only as it is written, and in training text.

    "Was the trial stopped?" names no gene; training text may be in lower case, so that any
    spelling counts there.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._symbols: dict[str, set[str]] = {}
        worded: dict[str, list[str]] = {}
        for entity_id, its_names in names.items():
            for name in its_names:
                if _SYMBOL.fullmatch(name):
                    self._symbols.setdefault(name, set()).add(entity_id)
                else:
                    worded.setdefault(entity_id, []).append(name)
        self._all, self._worded = NameFinder(names), NameFinder(worded)

    def in_any_case(self, text: str) -> frozenset[str]:
        return self._all.in_text(text)

    def written(self, *texts: str) -> frozenset[str]:
        found: set[str] = set()
        for text in texts:
            found |= self._worded.in_text(text)
            for word in _WORD.findall(text):
                found |= self._symbols.get(word, set())
        return frozenset(found)


def _runs(text: str, n: int) -> Iterator[tuple[str, ...]]:
    words = match.words(text)
    yield from _windows(words, min(n, len(words))) if words else ()


def _windows(words: tuple[str, ...], length: int) -> Iterator[tuple[str, ...]]:
    for start in range(len(words) - length + 1):
        yield words[start : start + length]


def _seen(finder: NameFinder, training: Iterable[Trajectory]) -> set[str]:
    seen: set[str] = set()
    for trajectory in training:
        seen.update(finder.named(trajectory))
    return seen
