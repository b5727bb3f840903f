"""Questions read by a person: a seeded sample with all that it rests on, and labels counted."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from medr_jax import jsonl
from medr_jax.eval import statistics
from medr_jax.eval.tables import Row, Table
from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Hop, Question, Record

CRITERIA = ("unambiguous", "true_at_source", "natural", "non_trivial", "answer_type")
GOOD, MINOR, MAJOR = "good", "minor", "major"
VERDICTS = (GOOD, MINOR, MAJOR)


class Sheet(Record):
    """What a reader of one question is given; a line of sample.jsonl."""

    question_id: str
    text_hash: str
    seed: int
    split: str
    num_hops: int
    text: str
    answer: str
    answer_kind: str
    aliases: tuple[str, ...]
    chain: tuple[str, ...]  # names of the entities, in order
    facts: tuple[str, ...]  # every clue and hop with what its source says


class Label(Record):
    """What a reader found; a line of labels.jsonl."""

    question_id: str
    text_hash: str
    seed: int
    reader: str  # "non-clinician"
    verdicts: dict[str, str]
    note: str = ""

    @property
    def is_major(self) -> bool:
        """Whether any criterion has a major fault."""
        return MAJOR in self.verdicts.values()


def text_hash(text: str) -> str:
    """16 hex digits: a label is about these very words."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw(questions: Iterable[Question], number: int, seed: int) -> list[Question]:
    """``number`` questions by a seeded hash of the id, whatever order they come in."""

    def order(question: Question) -> str:
        return hashlib.sha256(f"review:{seed}:{question.question_id}".encode()).hexdigest()

    return sorted(questions, key=order)[:number]


def sheet(graph: KnowledgeGraph, question: Question, seed: int) -> Sheet:
    """The question with every fact that it rests on."""
    chain = question.chain
    entities = match.entity_ids(chain, question.answer_id)
    return Sheet(
        question_id=question.question_id,
        text_hash=text_hash(question.text),
        seed=seed,
        split=question.split,
        num_hops=question.num_hops,
        text=question.text,
        answer=question.answer,
        answer_kind=str(question.answer_kind),
        aliases=question.answer_aliases,
        chain=tuple(graph.entity(one).name for one in entities),
        facts=(
            *(_clue_fact(graph, entities[0], clue.entity_id) for clue in chain.clues),
            *(_hop_fact(graph, hop) for hop in chain.hops),
        ),
    )


def as_markdown(sheets: Sequence[Sheet]) -> str:
    """The sample for reading."""
    parts = [f"# {len(sheets)} questions to read\n"]
    for number, one in enumerate(sheets, start=1):
        aliases = f" (also: {'; '.join(one.aliases)})" if one.aliases else ""
        parts.append(
            f"## {number}. {one.question_id}\n\n{one.text}\n\n"
            f"- answer ({one.answer_kind}): **{one.answer}**{aliases}\n"
            f"- {one.num_hops} hops, {one.split}: {' → '.join(one.chain)}\n"
            + "".join(f"- {fact}\n" for fact in one.facts)
        )
    return "\n".join(parts)


def read_labels(path: Path) -> list[Label]:
    """The labels of a file.

    Raises:
        ValueError: a line that is none, a question twice, a criterion or verdict that is unknown
            or missing, or a fault without a note.
    """
    labels = list(jsonl.read(path, Label))
    seen: set[str] = set()
    for number, label in enumerate(labels, start=1):
        where = f"{path}:{number}: {label.question_id}"
        if label.question_id in seen:
            raise ValueError(f"{where}: labelled twice; keep one of the lines")
        seen.add(label.question_id)
        if set(label.verdicts) != set(CRITERIA):
            raise ValueError(f"{where}: give a verdict for each of {', '.join(CRITERIA)}")
        if unknown := sorted(set(label.verdicts.values()) - set(VERDICTS)):
            raise ValueError(f"{where}: verdicts {unknown}; use one of {', '.join(VERDICTS)}")
        if set(label.verdicts.values()) != {GOOD} and not label.note:
            raise ValueError(f"{where}: say in note what is wrong")
    if not labels:
        raise ValueError(f"{path}: no labels; read the questions of review_sample first")
    return labels


def table(labels: Sequence[Label]) -> Table:
    """Shares of verdicts per criterion, and of questions without a major fault."""
    rows = [
        Row(
            label=criterion.replace("_", " "),
            cells=tuple(_share(labels, criterion, verdict) for verdict in VERDICTS),
        )
        for criterion in CRITERIA
    ]
    total = len(labels)
    major = sum(label.is_major for label in labels)
    clean = sum(set(label.verdicts.values()) == {GOOD} for label in labels)
    counts = (clean, total - clean - major, major)
    rows.append(
        Row(label="whole question", cells=tuple(statistics.wilson(n, total) for n in counts))
    )
    readers = ", ".join(sorted({label.reader for label in labels}))
    return Table(
        title="Questions read against the rubric",
        columns=VERDICTS,
        rows=tuple(rows),
        notes=(
            f"{total - major} of {total} questions are without a major fault. A whole question is "
            "as good as its worst criterion. Beside each share its 95% interval (Wilson).",
            f"Read by: {readers}.",
        ),
    )


def faults(labels: Sequence[Label]) -> Iterator[str]:
    """A line of Markdown for every question with a fault, those with a major one first."""
    for label in sorted(labels, key=lambda label: not label.is_major):
        found = {
            verdict: [name for name in CRITERIA if label.verdicts[name] == verdict]
            for verdict in (MAJOR, MINOR)
        }
        said = "; ".join(
            f"{verdict}: {', '.join(names)}" for verdict, names in found.items() if names
        )
        if said:
            yield f"- `{label.question_id}` {said} – {label.note}"


def _share(labels: Sequence[Label], criterion: str, verdict: str) -> statistics.Cell:
    found = sum(label.verdicts[criterion] == verdict for label in labels)
    return statistics.wilson(found, len(labels))


def _clue_fact(graph: KnowledgeGraph, subject: str, value: str) -> str:
    clued = graph.entity(value)
    if subject == value:
        return f"definition of {clued.name}: {clued.definition}"
    synonyms = f" [{'; '.join(clued.synonyms)}]" if clued.synonyms else ""
    definition = f" — {clued.definition}" if clued.definition else ""
    return f"clue {clued.name}{synonyms}{definition}: {_stated(graph, subject, value)}"


def _hop_fact(graph: KnowledgeGraph, hop: Hop) -> str:
    ends = (hop.target_id, hop.source_id) if hop.inverse else (hop.source_id, hop.target_id)
    source, target = (graph.entity(one).name for one in ends)
    within = f" (under {graph.entity(hop.within_id).name})" if hop.within_id else ""
    return f"{source} — {hop.relation} → {target}{within}: {_stated(graph, *ends)}"


def _stated(graph: KnowledgeGraph, source: str, target: str) -> str:
    edges = [edge for edge in graph.edges_of(source) if edge.target == target]
    return " | ".join(map(_said, edges)) or "NOT STATED"


def _said(edge: Edge) -> str:
    counts = f"{edge.num_affected}/{edge.num_observed}" if edge.num_observed else edge.frequency
    parts = (str(edge.polarity), counts, edge.evidence, " ".join(edge.references), edge.origin)
    return ", ".join(part for part in parts if part)
