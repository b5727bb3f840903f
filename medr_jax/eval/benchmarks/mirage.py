"""Multiple-choice sets in MIRAGE's layout (Xiong et al. 2024, arXiv:2402.13178).

One ``benchmark.json`` holds five sets: MedQA (US), MedMCQA, MMLU's six medical subjects,
PubMedQA without its abstracts, and BioASQ's yes/no questions.
"""

import functools
import os
import string
from typing import Any

from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import answers
from medr_jax.grading.grade import Grade

SETS = {
    "medqa": "MedQA (US), arXiv:2009.13081",
    "medmcqa": "MedMCQA, arXiv:2203.14371",
    "mmlu": "MMLU, medical subjects, arXiv:2009.03300",
    "pubmedqa": "PubMedQA, arXiv:1909.06146",
    "bioasq": "BioASQ, yes/no questions, doi:10.1186/s12859-015-0564-6",
}


def expected(name: str) -> str:
    """The file that ``load`` wants for a set."""
    return (
        f"MIRAGE's benchmark.json with the set {name!r}: question id -> object with question, "
        "options (A, B, ... -> text) and answer, one of the letters"
    )


def load(name: str, path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The questions of one set."""
    content = base.read_json(path, expected(name))
    rows = content.get(name)
    if not isinstance(rows, dict):
        raise ValueError(f"{path}: holds {sorted(content)}; expected {expected(name)}")
    items = (_item(name, item_id, row, path) for item_id, row in rows.items())
    return base.checked(items, path, expected(name))


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """The option that the answer takes, by letter or by its whole text."""
    letter = answers.choice(prediction, item.options)
    if letter is None and set(map(str.lower, item.options)) <= set(answers.VERDICTS):
        said = answers.verdict(prediction)
        letters = dict(zip(map(str.lower, item.options), string.ascii_uppercase, strict=False))
        letter = letters.get(said or "")
    return Grade.of(letter == item.gold, "choice", f"read as {letter}")


def _item(name: str, item_id: str, row: Any, path: object) -> BenchmarkItem:
    where = f"{path}: {name} {item_id}"
    if not isinstance(row, dict):
        raise ValueError(f"{where}: holds no object; expected {expected(name)}")
    options = base.field(row, "options", where, expected(name))
    letters = list(string.ascii_uppercase[: len(options)])
    gold = base.field(row, "answer", where, expected(name))
    if not isinstance(options, dict) or sorted(options) != letters or gold not in letters:
        raise ValueError(f"{where}: options or answer do not fit; expected {expected(name)}")
    return BenchmarkItem(
        item_id=item_id,
        question=base.field(row, "question", where, expected(name)),
        gold=gold,
        options=tuple(str(options[letter]) for letter in letters),
        kind="choice",
    )


BENCHMARKS = tuple(
    Benchmark(
        name=f"mirage_{name}" if name == "pubmedqa" else name,
        load=functools.partial(load, name),
        grade=grade,
        expected=expected(name),
        source=f"{source}, in MIRAGE, arXiv:2402.13178",
        rule="the option's letter or whole text",
    )
    for name, source in SETS.items()
)
