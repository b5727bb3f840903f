import json

import pytest

from medr_jax.eval.benchmarks import rarebench

PHENOTYPES = {"HP:0001166": "Arachnodactyly", "HP:0001083": "Ectopia lentis"}
DISEASES = {"OMIM:154700": "Marfan syndrome/MFS1", "ORPHA:558": "Marfan syndrome", "CCRD:1": []}
CASE = {"Phenotype": ["HP:0001166", "HP:0001083"], "RareDisease": ["OMIM:154700", "ORPHA:558"]}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "mapping").mkdir()
    (tmp_path / "mapping" / "phenotype_mapping.json").write_text(json.dumps(PHENOTYPES))
    (tmp_path / "mapping" / "disease_mapping.json").write_text(json.dumps(DISEASES))
    (tmp_path / "MME.jsonl").write_text(json.dumps(CASE) + "\n")
    return tmp_path / "MME.jsonl"


def test_a_case_names_its_phenotypes_and_all_names_of_the_disease(path):
    (item,) = rarebench.load(path)
    assert "Arachnodactyly; Ectopia lentis" in item.question and "Marfan" not in item.question
    assert item.gold == "Marfan syndrome" and item.aliases == ("MFS1", "OMIM:154700", "ORPHA:558")
    assert item.groups["set"] == "MME"


def test_the_first_diagnosis_decides_and_the_rank_scores(path):
    (item,) = rarebench.load(path)
    assert rarebench.grade(item, "1. Marfan's syndrome\n2. Stickler syndrome").correct
    assert rarebench.grade(item, "OMIM 154700").correct
    second = rarebench.grade(item, "1. Stickler syndrome\n2. MFS1")
    assert not second.correct and second.score == 0.5 and second.note == "rank 2"
    late = "\n".join([*(f"{n}. Disease {n}x" for n in range(1, 11)), "11. Marfan syndrome"])
    assert rarebench.grade(item, late).score == 0
    assert rarebench.grade(item, "Marfan syndrome or Stickler syndrome").score == 0


def test_cases_without_names_are_errors(path):
    path.write_text(json.dumps({**CASE, "RareDisease": ["CCRD:1"]}))
    with pytest.raises(ValueError, match=r"MME.jsonl:1: no name"):
        rarebench.load(path)
    (path.parent / "mapping" / "disease_mapping.json").unlink()
    with pytest.raises(ValueError, match=r"no disease_mapping.json.*expected a case file"):
        rarebench.load(path)
