"""The diagnose tool."""

import pytest

from medr_jax import jsonl
from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.diagnose import NOTICE, Diagnosis
from medr_jax.testing.diagnosis import make_table, small_graph
from medr_jax.tools.base import ToolError, check_arguments
from medr_jax.tools.diagnose import DiagnoseTool


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    graph = small_graph()
    return Diagnosis(graph=graph, table=make_table(graph), config=DiagnosisConfig(num_shown=3))


def test_diseases_are_hits_that_show_each_findings_weight(diagnosis):
    output = DiagnoseTool(diagnosis)(findings=["hp : 11", "HP:21"])
    assert [hit.doc_id for hit in output.hits][0] == "D:1"
    first = output.hits[0]
    assert first.snippet.startswith("relative score 0.")
    assert "Term HP:11 +" in first.snippet
    assert "(stated, 14/15, PMID:1)" in first.snippet
    assert len(output.hits) == 3


def test_the_notice_and_the_share_of_none_are_always_said(diagnosis):
    text = DiagnoseTool(diagnosis)(findings=["HP:1", "HP:11"], absent=["HP:21"]).text
    assert "among 4 annotated diseases (HPO 2031-02-03); none of these: 0." in text
    assert "Implied and not counted: HP:1 by HP:11." in text
    assert text.endswith(NOTICE)


def test_probability_is_said_only_with_a_prior(diagnosis, tmp_path):
    output = DiagnoseTool(diagnosis)(findings=["HP:11"])
    said = " ".join([output.text, *(hit.snippet for hit in output.hits)])
    assert "probability" not in said.lower()
    path = tmp_path / "prior.jsonl"
    jsonl.write(path, [{"disease": "D:1", "prior": 0.5}])
    config = DiagnosisConfig(prior_file=str(path))
    given = Diagnosis(graph=diagnosis.graph, table=diagnosis.table, config=config)
    output = DiagnoseTool(given)(findings=["HP:11"])
    assert output.text.startswith("Probability among 1 annotated diseases")
    assert output.hits[0].snippet.startswith("probability 0.")


@pytest.mark.parametrize(
    ("findings", "absent", "message"),
    [
        ([], [], "none given"),
        (["HP:404"], [], "'HP:404' is no phenotype of this release"),
        (["HP:111"], ["HP:1"], "given as absent"),
    ],
)
def test_wrong_findings_are_told_to_the_model(diagnosis, findings, absent, message):
    with pytest.raises(ToolError, match=message):
        DiagnoseTool(diagnosis)(findings=findings, absent=absent)


def test_hidden_diseases_are_not_shown(diagnosis):
    output = DiagnoseTool(diagnosis, exclude={"D:1"})(findings=["HP:11"])
    assert "D:1" not in [hit.doc_id for hit in output.hits]


def test_the_schema_is_that_of_the_signature(diagnosis):
    tool = DiagnoseTool(diagnosis)
    assert tool.parameters["required"] == ["findings"]
    check_arguments(tool, {"findings": ["HP:1"], "absent": []})
    for wrong in ({"findings": "HP:1"}, {"findings": ["HP:1"] * 51}, {"absent": []}):
        with pytest.raises(ToolError, match="diagnose"):
            check_arguments(tool, wrong)
