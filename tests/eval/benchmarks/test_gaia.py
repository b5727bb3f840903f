import json

import pytest

from medr_jax.eval.benchmarks import base, gaia
from medr_jax.eval.benchmarks.base import BenchmarkItem

# (prediction, gold, correct), written from the official scorer: a gold answer that Python's
# float reads is a number; one with , or ; is a list in order; any other is a string.
NUMBERS = [
    ("17", "17", True), ("17.0", "17", True), ("017", "17", True), (" 17 ", "17", True),
    ("$17", "17", True), ("17%", "17", True), ("1,700", "1700", True), ("$1,700.00", "1700", True),
    ("1.7e3", "1700", True), ("-17", "-17", True), ("+17", "17", True), ("17", "17.0", True),
    ("0.5", ".5", True), ("50%", "50", True), ("1,7", "17", True), ("1_7", "17", True),
    ("18", "17", False), ("17.01", "17", False), ("17 mg", "17", False), ("seventeen", "17", False),
    ("about 17", "17", False), ("17 or 18", "17", False), ("", "17", False), ("-17", "17", False),
    ("50%", "0.5", False), ("€17", "17", False), ("1 700", "1700", False), ("17.", "17", True),
]  # fmt: skip
LISTS = [
    ("a, b, c", "a, b, c", True), ("a,b,c", "a, b, c", True), ("A, B, C", "a, b, c", True),
    ("a; b; c", "a, b, c", True), ("a b, c", "ab, c", True), ("1, 2, 3", "1, 2, 3", True),
    ("1.0, 2, 3", "1, 2, 3", True), ("$1, 2%, 3", "1, 2, 3", True), ("x, 2.0", "x, 2", True),
    ("b, a, c", "a, b, c", False), ("a, b", "a, b, c", False), ("a, b, c, d", "a, b, c", False),
    ("a and b", "a, b", False), ("a., b", "a, b", False), ("a-b, c", "ab, c", False),
    ("1, 2, 4", "1, 2, 3", False), ("one, 2", "1, 2", False), ("", "a, b", False),
    ("a, b,", "a, b", False), ("red;green", "red; green", True), ("3,4", "3, 4", True),
    ("Smith, J.", "Smith, J.", True), ("Smith, J", "Smith, J.", False),
]  # fmt: skip
STRINGS = [
    ("Marfan syndrome", "Marfan syndrome", True), ("marfan SYNDROME", "Marfan syndrome", True),
    ("marfansyndrome", "Marfan syndrome", True), ("sea gull", "seagull", True),
    ("Marfan-syndrome.", "Marfan syndrome", True), ("(Marfan) syndrome!", "Marfan syndrome", True),
    ("St. Petersburg", "St Petersburg", True), ("a\tb\nc", "abc", True), ("10:30", "1030 h", False),
    ("FGFR3", "FGFR2", False), ("the Marfan syndrome", "Marfan syndrome", False),
    ("Marfan", "Marfan syndrome", False), ("", "Marfan syndrome", False), ("CRP<5", "CRP5", True),
    ("café", "cafe", False), ("yes", "Yes", True), ("no", "yes", False), ("17 mg", "17mg", True),
    ("1,7 mg", "17 mg", True), ("x – y", "x y", False),
]  # fmt: skip


@pytest.mark.parametrize(("prediction", "gold", "correct"), [*NUMBERS, *LISTS, *STRINGS])
def test_the_official_rules(prediction, gold, correct):
    item = BenchmarkItem(item_id="1", question="?", gold=gold)
    assert gaia.grade(item, prediction).correct is correct


def test_the_table_is_large_enough():
    assert len(NUMBERS) + len(LISTS) + len(STRINGS) >= 60


def write(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def row(number, answer="17", file_name=""):
    return {
        "task_id": f"t{number}", "Question": "How many?", "Level": number, "Final answer": answer,
        "file_name": file_name, "Annotator Metadata": {"Steps": "..."},
    }  # fmt: skip


def test_levels_and_attached_files_are_groups(tmp_path):
    items = gaia.load(write(tmp_path / "metadata.jsonl", row(1), row(2, "a, b", "t2.xlsx")))
    assert [item.groups for item in items] == [
        {"level": "1", "file": "none"},
        {"level": "2", "file": "attached"},
    ]
    assert [item.item_id for item in base.select(items, "file:none")] == ["t1"]


def test_the_test_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="question 2: the answer is '\\?'.*validation"):
        gaia.load(write(tmp_path / "metadata.jsonl", row(1), row(2, "?")))


def test_a_field_that_is_missing_is_named(tmp_path):
    broken = row(1)
    del broken["Final answer"]
    with pytest.raises(ValueError, match="no field 'Final answer'"):
        gaia.load(write(tmp_path / "metadata.jsonl", broken))
