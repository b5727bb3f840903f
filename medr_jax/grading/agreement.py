"""How far the grader agrees with people: labelled pairs of answers, and the report on them."""

import collections
import os
from collections.abc import Iterable, Sequence
from typing import Any

from medr_jax import jsonl
from medr_jax.grading.answers import grade
from medr_jax.grading.synonyms import NO_SYNONYMS, SynonymTable
from medr_jax.types import Record


class LabelledPair(Record):
    """A prediction, a gold answer, and whether a careful reader calls them the same."""

    prediction: str
    gold: str
    kind: str
    label: bool
    near_miss: bool = False  # wrong by one detail: another type, unit, side, sign
    note: str = ""


class NamedEntity(Record):
    """A line of a synonym file."""

    id: str
    names: tuple[str, ...]


class Agreement(Record):
    """What the grader did with a set of pairs."""

    num_pairs: int
    num_near_misses: int
    agreement: float  # share of pairs graded as labelled
    false_accept_rate: float  # share of the pairs labelled different that were accepted
    false_reject_rate: float  # share of the pairs labelled same that were rejected
    false_accepts: tuple[LabelledPair, ...]
    false_rejects: tuple[LabelledPair, ...]


def read_pairs(path: str | os.PathLike[str]) -> list[LabelledPair]:
    """The pairs of a JSONL file. Raises ValueError with file:line."""
    return list(jsonl.read(path, LabelledPair))


def read_synonyms(path: str | os.PathLike[str]) -> SynonymTable:
    """A synonym table from a JSONL file of ``{"id": ..., "names": [...]}``."""
    return SynonymTable({entity.id: entity.names for entity in jsonl.read(path, NamedEntity)})


def measure(pairs: Sequence[LabelledPair], synonyms: SynonymTable = NO_SYNONYMS) -> Agreement:
    """Grades every pair. Raises ValueError when there are none of one label."""
    if len({pair.label for pair in pairs}) < 2:
        raise ValueError(f"{len(pairs)} pairs: need some labelled true and some labelled false")
    accepted = [
        grade(pair.prediction, pair.gold, pair.kind, synonyms=synonyms).correct for pair in pairs
    ]
    verdicts = list(zip(pairs, accepted, strict=True))
    false_accepts = tuple(pair for pair, said in verdicts if said and not pair.label)
    false_rejects = tuple(pair for pair, said in verdicts if pair.label and not said)
    num_same = sum(pair.label for pair in pairs)
    return Agreement(
        num_pairs=len(pairs),
        num_near_misses=sum(pair.near_miss for pair in pairs),
        agreement=1 - (len(false_accepts) + len(false_rejects)) / len(pairs),
        false_accept_rate=len(false_accepts) / (len(pairs) - num_same),
        false_reject_rate=len(false_rejects) / num_same,
        false_accepts=false_accepts,
        false_rejects=false_rejects,
    )


def report(pairs: Sequence[LabelledPair], found: Agreement) -> str:
    """The figures, by kind too, and every disagreement, as Markdown."""
    lines = [
        f"{found.num_pairs} pairs, {found.num_near_misses} of them near misses",
        f"agreement {found.agreement:.1%}, false accepts {found.false_accept_rate:.1%}, "
        f"false rejects {found.false_reject_rate:.1%}",
        "",
        "| kind | pairs | false accepts | false rejects |",
        "|---|---:|---:|---:|",
    ]
    accepts, rejects = _by_kind(found.false_accepts), _by_kind(found.false_rejects)
    lines += [
        f"| {kind} | {count} | {accepts[kind]} | {rejects[kind]} |"
        for kind, count in sorted(_by_kind(pairs).items())
    ]
    for title, wrong in (("Accepted", found.false_accepts), ("Rejected", found.false_rejects)):
        lines += ["", f"{title} against the label:"] if wrong else []
        lines += [
            f"- {pair.prediction!r} for {pair.gold!r} ({pair.kind}; {pair.note})" for pair in wrong
        ]
    return "\n".join(lines) + "\n"


def _by_kind(pairs: Iterable[LabelledPair]) -> collections.Counter[Any]:
    return collections.Counter(pair.kind for pair in pairs)
