from pathlib import Path

import pytest

from experiments import grade_pairs
from medr_jax import jsonl
from medr_jax.grading import agreement
from medr_jax.grading.agreement import LabelledPair

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("medical_pairs.jsonl", 0.97),
        ("later_pairs.jsonl", 0.97),
        ("third_dev_pairs.jsonl", 0.97),
        ("third_held_out_pairs.jsonl", 0.97),
        ("fourth_pairs.jsonl", 0.95),
    ],
)
def test_the_grader_agrees_with_the_labels(name, at_least):
    pairs = agreement.read_pairs(DATA / name)
    found = agreement.measure(pairs, agreement.read_synonyms(DATA / "synonyms.jsonl"))
    assert found.num_pairs >= 120 and found.num_near_misses >= 50
    assert found.agreement >= at_least, agreement.report(pairs, found)
    assert found.false_accept_rate <= 0.02, agreement.report(pairs, found)


def test_the_report_lists_every_disagreement(tmp_path, capsys):
    pairs = [
        LabelledPair(prediction="x", gold="x", kind="gene", label=False, note="labelled wrongly"),
        LabelledPair(prediction="x", gold="x", kind="gene", label=True),
        LabelledPair(prediction="y", gold="x", kind="gene", label=False),
        LabelledPair(prediction="y", gold="x", kind="dose", label=True),
    ]
    found = agreement.measure(pairs)
    # of two labelled different one was accepted; a rate over all pairs would be 0.25
    assert (found.agreement, found.false_accept_rate, found.false_reject_rate) == (0.5, 0.5, 0.5)
    text = agreement.report(pairs, found)
    assert "'x' for 'x' (gene; labelled wrongly)" in text and "| dose | 1 | 0 | 1 |" in text
    jsonl.write(tmp_path / "pairs.jsonl", pairs)
    assert grade_pairs.main([str(tmp_path / "pairs.jsonl")]) == 0
    assert "agreement 50.0%" in capsys.readouterr().out


def test_a_bad_pairs_file_is_the_users_mistake(tmp_path, capsys):
    (tmp_path / "pairs.jsonl").write_text('{"prediction": "x"}\n')
    assert grade_pairs.main([str(tmp_path / "pairs.jsonl")]) == 2
    assert "pairs.jsonl:1" in capsys.readouterr().err
    with pytest.raises(ValueError, match="labelled true"):
        agreement.measure([])
