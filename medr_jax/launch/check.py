"""Every question and trajectory of a dataset, re-verified by the independent checkers."""

import collections
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

from medr_jax import console, jsonl
from medr_jax.data.tfds_builder import read_metadata, read_trajectories
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import stages
from medr_jax.questions.config import SPLITS
from medr_jax.testing import question_checker, trajectory_checker
from medr_jax.types import Kind, Record, Trajectory

FILE = "violations.jsonl"
CHECKED_FORMS = frozenset({"forward_chain"})
"""Forms of questions that the checker has definitions of; others are counted as unchecked."""
_APART = (Kind.DISEASE, Kind.GENE)


class Violation(Record):
    """One thing that is wrong; a line of violations.jsonl."""

    question_id: str
    split: str
    what: str  # "question" or "trajectory"
    problem: str


def check_dataset(config: SimpleNamespace) -> dict[str, int]:
    """Checks all splits of the dataset, made first if need be; writes the violations.

    The questions are checked against the graph alone, the trajectories against their own records.
    """
    graph_artifact = stages.graph(config)
    dataset = stages.synthesize(config, graph_artifact)
    graph = stages.load_graph(graph_artifact)
    rows = list(_rows(dataset.path / "dataset"))
    found = list(violations(graph, console.track(rows, "checked")))
    path = Path(config.run_dir) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(path, found)
    by_what = collections.Counter(one.what for one in found)
    unchecked = sum(row.question.form not in CHECKED_FORMS for row in rows)
    return {
        "trajectories": len(rows),
        "questions": len({row.question.question_id for row in rows}),
        "unchecked_questions": unchecked,
        "question_violations": by_what["question"],
        "trajectory_violations": by_what["trajectory"],
    }


def violations(graph: KnowledgeGraph, rows: Iterable[Trajectory]) -> Iterator[Violation]:
    """What is wrong with the trajectories and their questions.

    Which split a disease or gene belongs to is read off the first question that it occurs in, so
    one that two splits share is reported.
    """
    brute = question_checker.BruteForce(graph)
    split_of: dict[str, str] = {}
    for row in rows:
        question = row.question
        for one in _entities(row):
            if graph.entity(one).kind in _APART:
                split_of.setdefault(one, question.split)
        checked = question.form in CHECKED_FORMS
        for what, problems in (
            ("question", question_checker.violations(brute, question, split_of) if checked else ()),
            ("trajectory", trajectory_checker.violations(brute.names, row)),
        ):
            for problem in problems:
                yield Violation(
                    question_id=question.question_id,
                    split=question.split,
                    what=what,
                    problem=problem,
                )


def _entities(row: Trajectory) -> Iterator[str]:
    yield row.question.answer_id
    for hop in row.question.chain.hops:
        yield from (hop.source_id, hop.target_id)


def _rows(path: Path) -> Iterator[Trajectory]:
    counts = read_metadata(path)["counts"]
    for split in filter(counts.get, SPLITS):
        yield from read_trajectories(path, split)
