"""MedBrowseComp (Chen et al. 2025, arXiv:2505.14963): facts about trials, drugs and approvals.

The authors publish two encoded CSV files, of 50 and of 605 questions. Every cell, the header's
too, is text whose characters were shifted by 3 and which was then written as base64: to read
it, undo base64 and shift back by 3. The third column, the task, has a different name in each.
"""

import base64
import binascii
import os
import re

from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import answers
from medr_jax.grading.grade import Grade
from medr_jax.grading.judge import Judge

SHIFT = 3
EXPECTED = (
    "an encoded CSV of MedBrowseComp (final50_cell_combo_shift3_b64.csv or the one of 605): every "
    f"cell base64 of text whose characters are shifted by {SHIFT}, the header included, which "
    "decodes to 'prompt', 'gold' and a column of task names"
)
_QUESTION, _GOLD = ("prompt", "question"), ("gold", "answer")
_LABELLED = re.compile(r"^[\s*]*[A-Z][A-Z _-]+[*]*\s*[:=]\s*(?P<answer>.*\S)", re.M)


def encode_cell(text: str) -> str:
    """A cell as the authors write it."""
    return base64.b64encode("".join(chr(ord(char) + SHIFT) for char in text).encode()).decode()


def decode_cell(cell: str) -> str:
    """The text of a cell. Raises ValueError when it is not encoded so."""
    try:
        shifted = base64.b64decode(cell.encode("ascii"), validate=True).decode("utf-8")
        return "".join(chr(ord(char) - SHIFT) for char in shifted)
    except (binascii.Error, UnicodeError, ValueError):
        raise ValueError("not base64 of shifted text") from None


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The questions of either file; group "task" names what is asked for."""
    rows = base.read_csv(path, EXPECTED)
    decoded = [_decode_row(row, f"{path}: row {number}") for number, row in enumerate(rows, 1)]
    header, *rows = decoded or [[]]
    names = [name.strip().lower() for name in header]
    question, gold = _column(names, _QUESTION, path), _column(names, _GOLD, path)
    others = [place for place in range(len(names)) if place not in (question, gold)]
    if len(others) != 1 or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{path}: {len(names)} columns, or rows of other widths; {EXPECTED}")
    items = (
        BenchmarkItem(
            item_id=base.text_id(str(number), row[question]),
            question=row[question].strip().strip('"'),
            gold=row[gold].strip(),
            groups={"task": row[others[0]].strip()},
        )
        for number, row in enumerate(rows)
    )
    return base.checked(items, path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """The value behind the label that the question asks for ("INGREDIENT: ..."), by rule."""
    return answers.grade(final_value(prediction), item.gold)


def grade_with(judge: Judge, item: BenchmarkItem, prediction: str) -> Grade:
    """By rule, and by the judge where the rules do not find the value the same."""
    by_rule = grade(item, prediction)
    if by_rule.correct:
        return by_rule
    return judge.grade(item.question, item.gold, final_value(prediction))


def final_value(prediction: str) -> str:
    """What stands behind the last label, else the whole prediction."""
    labelled = _LABELLED.findall(prediction)
    return labelled[-1] if labelled else prediction


def _decode_row(row: list[str], where: str) -> list[str]:
    try:
        return [decode_cell(cell) for cell in row]
    except ValueError as problem:
        raise ValueError(f"{where}: a cell is {problem}; expected {EXPECTED}") from None


def _column(names: list[str], wanted: tuple[str, ...], path: object) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    raise ValueError(f"{path}: no column {wanted[0]!r} among {names}; expected {EXPECTED}")


BENCHMARK = Benchmark(
    name="medbrowsecomp",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="MedBrowseComp, arXiv:2505.14963",
    rule="match by meaning of the labelled value; with a judge: what the rules reject, too",
    judged=grade_with,
)
