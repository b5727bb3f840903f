import json

import pytest

from medr_jax.eval.benchmarks import mirage, registry

MEDQA = {
    "0001": {
        "question": "Which drug?",
        "options": {"A": "Metformin", "B": "Insulin", "C": "Aspirin", "D": "None"},
        "answer": "B",
    }
}
BIOASQ = {"q1": {"question": "Is it?", "options": {"A": "yes", "B": "no"}, "answer": "B"}}


@pytest.fixture
def path(tmp_path):
    content = {"medqa": MEDQA, "bioasq": BIOASQ, "mmlu": {}}
    (tmp_path / "benchmark.json").write_text(json.dumps(content))
    return tmp_path / "benchmark.json"


def test_one_file_holds_the_sets(path):
    (item,) = registry.get("medqa").load(path)
    assert (item.item_id, item.gold) == ("0001", "B")
    assert item.options == ("Metformin", "Insulin", "Aspirin", "None")


@pytest.mark.parametrize(
    ("prediction", "correct"),
    [("B", True), ("b) insulin", True), ("Insulin", True), ("The answer is (B).", True),
     ("A", False), ("A or B", False), ("Metformin and insulin", False), ("Vitamin B", False)],
)  # fmt: skip
def test_a_choice_is_graded(path, prediction, correct):
    (item,) = registry.get("medqa").load(path)
    assert mirage.grade(item, prediction).correct is correct


def test_yes_no_options_take_the_word(path):
    (item,) = registry.get("bioasq").load(path)
    assert mirage.grade(item, "No, because it is rare.").correct
    assert mirage.grade(item, "B").correct
    assert not mirage.grade(item, "yes").correct
    assert not mirage.grade(item, "There is no doubt.").correct


def test_an_absent_or_empty_set_is_an_error(path):
    with pytest.raises(ValueError, match=r"holds \['bioasq', 'medqa', 'mmlu'\].*'medmcqa'"):
        registry.get("medmcqa").load(path)
    with pytest.raises(ValueError, match="no questions"):
        registry.get("mmlu").load(path)


def test_an_answer_outside_the_options_is_an_error(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps({"medqa": {"1": {**MEDQA["0001"], "answer": "E"}}}))
    with pytest.raises(ValueError, match="medqa 1: options or answer"):
        registry.get("medqa").load(tmp_path / "b.json")
