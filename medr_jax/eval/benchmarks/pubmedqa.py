"""PubMedQA (Jin et al. 2019, arXiv:1909.06146): yes, no or maybe, from an abstract.

Read from the labelled JSON (``ori_pqal.json``, or a fold or split of it in the same layout).
"""

import os
from typing import Any

from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import answers
from medr_jax.grading.grade import Grade

EXPECTED = (
    "PubMedQA's labelled JSON (ori_pqal.json or a split of it): PMID -> object with QUESTION, "
    "CONTEXTS and final_decision yes, no or maybe"
)


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The questions in the file's order, the abstract's sections as context."""
    rows = base.read_json(path, EXPECTED).items()
    return base.checked((_item(pmid, row, path) for pmid, row in rows), path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """The verdict in its place: at the start, or behind "Answer:" at the end."""
    said = answers.verdict(prediction)
    return Grade.of(said == item.gold, "verdict", f"read as {said}")


def _item(pmid: str, row: Any, path: object) -> BenchmarkItem:
    where = f"{path}: PMID {pmid}"
    if not isinstance(row, dict):
        raise ValueError(f"{where}: holds no object; expected {EXPECTED}")
    gold = base.field(row, "final_decision", where, EXPECTED)
    if gold not in answers.VERDICTS:
        raise ValueError(f"{where}: final_decision is {gold!r}; expected {EXPECTED}")
    return BenchmarkItem(
        item_id=pmid,
        question=base.field(row, "QUESTION", where, EXPECTED),
        gold=gold,
        context=tuple(base.field(row, "CONTEXTS", where, EXPECTED)),
        kind="yes_no",
        groups={"year": str(row.get("YEAR") or "unknown")},
    )


BENCHMARK = Benchmark(
    name="pubmedqa",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="PubMedQA, arXiv:1909.06146",
    rule="the verdict yes, no or maybe",
)
