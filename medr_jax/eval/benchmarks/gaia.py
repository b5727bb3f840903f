"""GAIA (Mialon et al. 2023, arXiv:2311.12983): questions for general assistants, levels 1 to 3.

Read from the ``metadata.jsonl`` of a split. Subsets go by group: "level:1", and "file:none" for
the questions without an attached file. Papers that report "text only" results often use a
smaller hand-picked set of 103 validation questions: name the subset beside every number.
"""

import os
import re
import string

from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading.grade import Grade

EXPECTED = (
    "GAIA's metadata.jsonl of the validation split: a JSON object a line with task_id, Question, "
    "Level, 'Final answer' and file_name"
)
_SEPARATORS = re.compile(r"[,;]")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The questions with their answers.

    Raises:
        ValueError: the test split, whose answers are not published ("?").
    """
    items = []
    for number, row in enumerate(base.read_json_lines(path, EXPECTED), start=1):
        where = f"{path}: question {number}"
        gold = str(base.field(row, "Final answer", where, EXPECTED))
        if gold == "?":
            raise ValueError(
                f"{where}: the answer is '?', so this is the test split; expected {EXPECTED}"
            )
        items.append(
            BenchmarkItem(
                item_id=str(base.field(row, "task_id", where, EXPECTED)),
                question=str(base.field(row, "Question", where, EXPECTED)),
                gold=gold,
                groups={
                    "level": str(base.field(row, "Level", where, EXPECTED)),
                    "file": "attached" if row.get("file_name") else "none",
                },
            )
        )
    return base.checked(items, path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """The official scorer; the rule says which of its three branches decided."""
    if is_number(item.gold):
        return Grade.of(as_number(prediction) == float(item.gold), "gaia number")
    if _SEPARATORS.search(item.gold):
        return Grade.of(same_list(prediction, item.gold), "gaia list")
    return Grade.of(as_string(prediction) == as_string(item.gold), "gaia string")


def same_list(prediction: str, gold: str) -> bool:
    """Equal length and equal elements in order; punctuation counts inside an element."""
    given, wanted = _SEPARATORS.split(prediction), _SEPARATORS.split(gold)
    return len(given) == len(wanted) and all(
        as_number(one) == float(other)
        if is_number(other)
        else as_string(one, keep_punctuation=True) == as_string(other, keep_punctuation=True)
        for one, other in zip(given, wanted, strict=True)
    )


def is_number(text: str) -> bool:
    """What Python's ``float`` reads, as the official scorer has it ("1e3" and "nan" too)."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_number(text: str) -> float:
    """The prediction's number without $ % and commas; infinity where it is none."""
    for sign in "$%,":
        text = text.replace(sign, "")
    return float(text) if is_number(text) else float("inf")


def as_string(text: str, *, keep_punctuation: bool = False) -> str:
    """Without white space, in lower case, and without ASCII punctuation unless kept."""
    text = re.sub(r"\s", "", text).lower()
    return text if keep_punctuation else text.translate(_NO_PUNCTUATION)


BENCHMARK = Benchmark(
    name="gaia",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="GAIA, arXiv:2311.12983",
    rule="the official quasi-exact match of numbers, lists and strings",
)
