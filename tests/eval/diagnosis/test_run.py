"""Cohorts and the benchmark on a small graph."""

import json

import numpy as np
import pytest

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import read_statements
from medr_jax.eval.diagnosis import report
from medr_jax.eval.diagnosis.cohorts import DrawConfig, paper_patients
from medr_jax.eval.diagnosis.config import BenchDiagnoseConfig, Task
from medr_jax.eval.diagnosis.methods import Method
from medr_jax.eval.diagnosis.run import Bench, in_test_half
from medr_jax.testing.diagnosis import make_graph, stated
from medr_jax.types import Kind

TERMS = ("HP:11", "HP:12", "HP:2", "HP:21", "HP:111")


def one_paper(**other):
    """D:1 has a single-patient paper (PMID:7) and what else is given."""
    return make_graph(
        *(stated("D:1", term, "1/1", references=("PMID:7",)) for term in ("HP:11", "HP:21")),
        stated("D:1", "HP:12", "0/1", references=("PMID:7",)),
        stated("D:1", "HP:2", references=("PMID:7", "PMID:8")),
        stated("D:2", "HP:12", "1/1", references=("PMID:9",)),
        *other.get("more", ()),
    )


def held_out(graph, **options):
    ontology = Ontology.from_graph(graph)
    statements = read_statements(graph, ontology)
    diseases = tuple(graph.entity_ids(Kind.DISEASE))
    return ontology, paper_patients(statements, diseases, ontology, **options)


def test_a_papers_patient_and_all_that_cites_the_paper_is_out():
    rest = stated("D:1", "HP:111", "2/2", references=("PMID:8",))
    ontology, found = held_out(one_paper(more=[rest]), min_terms=3)
    (patient,) = found.patients
    names = [ontology.term_ids[term] for term in patient.findings.present]
    assert (patient.disease_id, names) == ("D:1", ["HP:11", "HP:21"])
    assert [ontology.term_ids[term] for term in patient.findings.absent] == ["HP:12"]
    # HP:2 is out as well: its row cites the paper beside another.
    assert [ontology.term_ids[term] for term in found.rest.terms] == ["HP:111"]
    assert set(found.rest.rows) == {0}


def test_a_paper_that_is_all_there_is_has_no_patient():
    _, found = held_out(one_paper(), min_terms=3)
    assert (found.patients, found.num_without_rest) == ([], 1)
    absence = stated("D:1", "HP:111", "0/2", references=("PMID:8",))
    _, found = held_out(one_paper(more=[absence]), min_terms=3)
    assert (found.patients, found.num_without_rest) == ([], 1)


def test_a_paper_of_several_patients_is_none():
    rest = stated("D:1", "HP:111", "2/2", references=("PMID:7",))
    _, found = held_out(one_paper(more=[rest]), min_terms=3)
    assert (found.patients, found.num_without_rest) == ([], 0)


@pytest.fixture(scope="module")
def graph():
    """Forty diseases in both databases, each with a paper, their terms drawn at random."""
    rng = np.random.default_rng(0)
    annotations = []
    for number in range(40):
        disease = f"D:{number:02d}"
        for term in rng.choice(TERMS, 4, replace=False):
            paper = (f"PMID:{number}",)
            annotations.append(stated(disease, term, "9/10", references=("PMID:0",)))
            annotations.append(stated(disease, term, "HP:0040281", database="ORPHA"))
            annotations.append(stated(disease, term, "1/1", references=paper))
    return make_graph(*annotations)


@pytest.fixture(scope="module")
def bench(graph):
    config = BenchDiagnoseConfig(
        draw=DrawConfig(min_findings=1, patients_per_disease=2), min_terms=1, hidden_share=0.3
    )
    return Bench(graph, config, DiagnosisConfig())


@pytest.mark.parametrize("task", list(Task))
def test_every_task_runs_and_is_reported(bench, task, tmp_path):
    result = bench.run(task)
    assert [method.method for method in result.methods] == [str(method) for method in Method]
    for method in result.methods:
        assert 0 <= method.top_10.value <= 1
        assert method.top_10.n == result.num_test < result.num_patients
        assert (method.top_10_lead is None) == (method.method == "likelihood")
    facts = {"command": "python -m x", "snapshot": "HPO", "commit": "abc", "python": "3"}
    report.write(tmp_path, [result], facts)
    assert "likelihood ratios (ours)" in (tmp_path / report.MARKDOWN).read_text()
    assert json.loads((tmp_path / report.JSON).read_text())["tasks"][0]["task"] == task.value


def test_the_papers_own_rows_do_not_help(bench):
    patients, base, _ = bench.cohort(Task.papers)
    for patient in patients[:5]:
        row = base.row(patient)
        for method in Method:
            held = base.scores(method, patient)
            known = type(base)(table=base.table, config=base.config).scores(method, patient)
            assert held[row] <= known[row]
    sums = base.rest.frequency.dense_row(patients[0].number)
    assert (sums <= base.table.frequency.dense_row(base.row(patients[0]))).all()


def test_patients_are_the_same_every_time_and_known_to_the_base(bench):
    first, base, _ = bench.cohort(Task.omim_to_orpha)
    again, _, _ = bench.cohort(Task.omim_to_orpha)
    assert first == again
    assert {patient.disease_id for patient in first} <= set(base.table.disease_ids)


def test_fitting_and_testing_share_no_disease(bench):
    patients, _, _ = bench.cohort(Task.omim_to_orpha)
    by_disease = {}
    for patient in patients:
        by_disease.setdefault(patient.disease_id, set()).add(in_test_half(patient.disease_id))
    assert all(len(halves) == 1 for halves in by_disease.values())
    assert set.union(*by_disease.values()) == {True, False}
