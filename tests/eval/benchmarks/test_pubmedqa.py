import json

import pytest

from medr_jax.eval.benchmarks import info, pubmedqa

ROW = {"QUESTION": "Does it help?", "CONTEXTS": ["a", "b"], "YEAR": "2010", "final_decision": "yes"}


def write(path, rows):
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_questions_come_with_their_abstract(tmp_path):
    (item,) = pubmedqa.load(write(tmp_path / "f.json", {"123": ROW}))
    assert (item.item_id, item.gold, item.context) == ("123", "yes", ("a", "b"))


@pytest.mark.parametrize("change", [{"final_decision": "perhaps"}, {"final_decision": None}])
def test_unlabelled_questions_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match="PMID 123.*final_decision"):
        pubmedqa.load(write(tmp_path / "f.json", {"123": {**ROW, **change}}))


def test_the_verdict_in_its_place_is_graded(tmp_path):
    (item,) = pubmedqa.load(write(tmp_path / "f.json", {"123": ROW}))
    assert pubmedqa.grade(item, "Yes, it does.").correct
    assert pubmedqa.grade(item, "The trial was small.\nAnswer: yes").correct
    assert not pubmedqa.grade(item, "There is no doubt: yes?").correct
    assert not pubmedqa.grade(item, "no").correct


def test_the_real_file(shared_data):
    items = pubmedqa.load(shared_data / "pubmedqa" / "ori_pqal_dev.json")
    facts = info.describe(pubmedqa.BENCHMARK, items)
    assert facts["questions"] == 500 and facts["distinct answers"] == 3
    assert items[0].question not in " ".join(map(str, facts.values()))
