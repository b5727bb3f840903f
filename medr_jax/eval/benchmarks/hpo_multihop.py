"""Our own benchmark: multi-hop questions over the HPO graph, as identifiers and a generator.

What may be passed on is ``ids.jsonl`` (question ids, the entities of each chain and a hash of
the question), ``benchmark.json`` (the hashes of the source files, settings, version) and
``card.md``. The questions themselves are generated from the installed HPO release:

    python -m experiments.make_hpo_multihop experiment=quickstart

``load`` checks every generated question against its hash, so two people with one version have
the same questions, byte for byte.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from medr_jax import jsonl
from medr_jax.artifacts import Artifact
from medr_jax.eval import statistics
from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import match
from medr_jax.grading.grade import Grade
from medr_jax.types import Question, Record

IDS, QUESTIONS, PROVENANCE, CARD = "ids.jsonl", "questions.jsonl", "benchmark.json", "card.md"
EXPECTED = (
    f"a folder made by 'python -m experiments.make_hpo_multihop' with {PROVENANCE}, {IDS} and "
    f"{QUESTIONS}"
)


class QuestionKey(Record):
    """A question without its text."""

    question_id: str
    sha256: str  # of the canonical question record
    num_hops: int
    entity_ids: tuple[str, ...]  # the clues' subject, then each hop's target
    clue_ids: tuple[str, ...]


class Provenance(Record):
    """What a version stands on."""

    version: str
    split: str
    num_questions: int
    snapshot: str
    sources: dict[str, str]  # file -> sha256
    artifacts: dict[str, str]  # stage -> content hash
    settings: dict[str, object]  # of the questions stage


def build(graph: Artifact, synthesis: Artifact, split: str, out: Path) -> Provenance:
    """Writes the benchmark of one split into ``out`` and returns its provenance.

    Raises:
        ValueError: the split has no questions.
    """
    path = synthesis.path / f"questions-{split}.jsonl"
    if not path.is_file():
        raise ValueError(f"split={split!r}: {synthesis.path} has no {path.name}")
    questions = sorted(jsonl.read(path, Question), key=lambda question: question.question_id)
    if not questions:
        raise ValueError(f"split={split!r}: has no questions; synthesize some")
    keys = [_key(question) for question in questions]
    sources = dict(graph.manifest.inputs)
    provenance = Provenance(
        version=_version(keys, sources),
        split=split,
        num_questions=len(keys),
        snapshot=questions[0].snapshot,
        sources=sources,
        artifacts={"graph": graph.content_hash, "synthesis": synthesis.content_hash},
        settings=synthesis.manifest.config,
    )
    jsonl.write(out / QUESTIONS, questions)
    jsonl.write(out / IDS, keys)
    jsonl.write(out / PROVENANCE, [provenance])
    (out / CARD).write_text(card(provenance, questions), encoding="utf-8")
    return provenance


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The generated questions, each checked against the identifiers of this version.

    Raises:
        ValueError: a file is missing, or the questions are not those of the version.
    """
    path = Path(path)
    if missing := [name for name in (PROVENANCE, IDS, QUESTIONS) if not (path / name).is_file()]:
        raise ValueError(f"{path}: no {missing[0]}; expected {EXPECTED}")
    (provenance,) = jsonl.read(path / PROVENANCE, Provenance)
    keys = {key.question_id: key for key in jsonl.read(path / IDS, QuestionKey)}
    if _version(list(keys.values()), provenance.sources) != provenance.version:
        raise ValueError(
            f"{path / IDS}: not the identifiers of version {provenance.version}; "
            f"expected {EXPECTED}"
        )
    questions = list(jsonl.read(path / QUESTIONS, Question))
    changed = [q.question_id for q in questions if keys.get(q.question_id) != _key(q)]
    if changed or len(questions) != len(keys):
        raise ValueError(
            f"{path / QUESTIONS}: {len(questions)} questions of {len(keys)}, {len(changed)} not as "
            f"in version {provenance.version}; generate them again from {provenance.snapshot}"
        )
    return base.checked(map(_item, questions), path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """Normalised exact match with the answer or an alias, as in our main evaluation."""
    return Grade.of(match.matches(prediction, (item.gold, *item.aliases)), "exact")


def card(provenance: Provenance, questions: Sequence[Question]) -> str:
    """The card: counts, baseline, sources and limits, as Markdown. Holds no question."""
    baseline = statistics.majority([question.answer for question in questions])
    parts = {
        "Hops": Counter(str(question.num_hops) for question in questions),
        "Answer kinds": Counter(str(question.answer_kind) for question in questions),
        "Specialties (a question may have several)": Counter(
            name for question in questions for name in question.specialties
        ),
    }
    lines = [
        f"# hpo_multihop, version {provenance.version}",
        "",
        f"{len(questions)} multi-hop questions (split {provenance.split}) over "
        f"{provenance.snapshot}, with one answer each in that snapshot. Graded by normalised exact "
        "match with the answer or its unambiguous synonyms.",
        "",
        f"- Always giving the most frequent answer is right in {baseline.value:.1%} "
        f"(95% interval {baseline.low:.1%} to {baseline.high:.1%}).",
        "- The graph states what was reported by its snapshot: what it leaves out is unknown.",
        "- The set measures finding one's way in a closed, curated corpus. It says nothing about "
        "clinical benefit and is no medical advice.",
        "- Names of these questions may stand in any training text about the same graph: report "
        "the questions with unseen names apart.",
    ]
    for title, counts in parts.items():
        lines += ["", f"## {title}", "", *_table(counts)]
    lines += ["", "## Sources", ""]
    lines += [f"- `{name}`: sha256 {digest}" for name, digest in sorted(provenance.sources.items())]
    lines += [f"- {stage}: {digest}" for stage, digest in sorted(provenance.artifacts.items())]
    lines += ["", "Data under the HPO licence, OMIM's and Orphanet's terms: see DATA_LICENSES.md."]
    return "\n".join(lines) + "\n"


def _table(counts: Mapping[str, int]) -> list[str]:
    rows = [f"| {name} | {count} |" for name, count in sorted(counts.items())]
    return ["| | questions |", "|---|---:|", *rows]


def _key(question: Question) -> QuestionKey:
    return QuestionKey(
        question_id=question.question_id,
        sha256=hashlib.sha256(jsonl.encode(question)).hexdigest(),
        num_hops=question.num_hops,
        entity_ids=match.entity_ids(question.chain, question.answer_id),
        clue_ids=tuple(clue.entity_id for clue in question.chain.clues),
    )


def _version(keys: Sequence[QuestionKey], sources: Mapping[str, str]) -> str:
    return jsonl.content_hash([*keys, dict(sources)])[:16]


def _item(question: Question) -> BenchmarkItem:
    return BenchmarkItem(
        item_id=question.question_id,
        question=question.text,
        gold=question.answer,
        aliases=question.answer_aliases,
        groups={
            "hops": str(question.num_hops),
            "answer": str(question.answer_kind),
            "form": question.form,
            "specialty": question.specialties[0] if question.specialties else "none",
        },
    )


BENCHMARK = Benchmark(
    name="hpo_multihop",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="generated from the HPO release (see the card)",
    rule="normalised exact match with the answer or an unambiguous synonym",
)
