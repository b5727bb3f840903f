"""Plain triples, and several sources together."""

import json

import pytest

from medr_jax.graph.build import GraphConfig, SourceConfig, assemble, build_graph
from medr_jax.graph.mondo_table import shipped
from medr_jax.graph.sources.base import named_id
from medr_jax.graph.sources.clinical_trials import read_clinical_trials
from medr_jax.graph.sources.triples import read_triples
from medr_jax.types import Kind, Relation

WARFARIN = "DRUGBANK:DB00682"
DRUG_NODE = "0,DB00682,drug,Warfarin,DrugBank"
DISEASE_NODE = "2,7947,disease,Marfan syndrome,MONDO"
PHENOTYPE_NODE = "3,518,effect/phenotype,Cataract,HPO"


def facts(records):
    return {(e.source, e.relation.value, e.target, e.polarity.value) for e in records.edges}


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


TSV = """\
source\trelation\ttarget\tsource_name\tsource_kind\ttarget_name\tpolarity\treferences\tlicence
OMIM:154700\thas_phenotype\tHP:0000518\tMarfan\t\tCataract\t\tPMID:1|PMID:2\tCC0-1.0
D:1\thas_phenotype\tHP:0000518\tOther\t\t\texcluded\t\tCC0-1.0
D:1\tslows_down\tX:1\t\t\tThing\t\t\tCC0-1.0
D:1\tdoes not cause\tX:1\t\t\t\t\t\tCC0-1.0
D:1\thas_phenotype\tX:1\t\tdrug\t\t\t\tCC0-1.0
D:1\thas_phenotype\tHP:1\t\t\t\tmaybe\t\tCC0-1.0
HP:0000518\tis_a\tHP:0000478\t\t\tEye\t\t\tCC0-1.0
"""


def test_triples_say_what_they_are(tmp_path):
    records = read_triples(written(tmp_path, "mine.tsv", TSV))
    assert facts(records) == {
        ("OMIM:154700", "has_phenotype", "HP:0000518", "positive"),
        ("D:1", "has_phenotype", "HP:0000518", "excluded"),
        ("D:1", "related_to", "X:1", "positive"),
        ("HP:0000518", "is_a", "HP:0000478", "positive"),
    }
    kinds = {e.id: (e.kind, e.name) for e in records.entities}
    assert kinds["D:1"] == (Kind.DISEASE, "Other") and kinds["X:1"] == (Kind.CONCEPT, "Thing")
    assert kinds["HP:0000478"] == (Kind.PHENOTYPE, "Eye")
    assert records.edges[0].references == ("PMID:1", "PMID:2")
    assert records.edges[2].qualifier == "slows down"
    messages = {problem.line: problem.message for problem in records.problems}
    assert set(messages) == {5, 6, 7}
    assert "must not become a generic link" in messages[5]
    assert "D:1 is a drug here and a disease in an earlier row" in messages[6]
    assert "polarity 'maybe'" in messages[7]


def test_a_column_with_a_typo_ends_the_read(tmp_path):
    with pytest.raises(ValueError, match=r"mine.tsv:1: unknown column \['sauce_name'\]"):
        read_triples(written(tmp_path, "mine.tsv", TSV.replace("source_name", "sauce_name", 1)))
    with pytest.raises(ValueError, match="mine.tsv:1: no column target; found"):
        read_triples(written(tmp_path, "mine.tsv", "source\trelation\n"))


def test_jsonl_triples_are_the_same(tmp_path):
    rows = [
        {"source": "D:1", "relation": "has_phenotype", "target": "P:1", "num_affected": 3,
         "num_observed": 4, "references": ["PMID:1"]},
        {"source": "D:1", "relation": "has_phenotype", "target": "P:2", "num_affected": 5,
         "num_observed": 4},
        {"source": "D:1", "relation": "has_phenotype", "target": "P:2", "num_affected": 0},
        {"source": "D:1", "relation": "has_phenotype", "target": "P:2", "colour": "red"},
        {"source": "D:1", "relation": "has_phenotype", "target": "P:2", "date": "5 May"},
    ]  # fmt: skip
    text = "\n".join([*map(json.dumps, rows), "{", ""])
    records = read_triples(written(tmp_path, "mine.jsonl", text))
    (edge,) = records.edges
    assert (edge.num_affected, edge.num_observed, edge.references) == (3, 4, ("PMID:1",))
    messages = {problem.line: problem.message for problem in records.problems}
    assert "exceeds 4" in messages[2] and "nobody had it" in messages[3]
    assert "unknown field colour" in messages[4] and "'5 May'" in messages[5] and 6 in messages


def test_sources_merge_by_identifier_and_by_name(tmp_path, write_release, row, kg, study):
    release = write_release(
        [row("OMIM:154700", "HP:0000518", name="Marfan syndrome", frequency="3/4")]
    )
    kg_file = written(
        tmp_path,
        "kg.csv",
        kg(
            ("disease_phenotype_negative,phenotype absent", DISEASE_NODE, PHENOTYPE_NODE),
            ("indication,indication", DRUG_NODE, DISEASE_NODE),
        ),
    )
    trial = study()
    trial["protocolSection"]["armsInterventionsModule"]["interventions"] = [
        {"type": "DRUG", "name": "WARFARIN"}
    ]
    trials = written(tmp_path, "studies.json", json.dumps({"studies": [trial]}))
    graph = build_graph(
        GraphConfig(
            sources=[
                SourceConfig(path=str(release)),
                SourceConfig(format="primekg", path=str(kg_file)),
                SourceConfig(format="clinical_trials", path=str(trials)),
            ]
        )
    )
    marfan = "MONDO:0007947"
    assert graph.snapshot == "HPO 2031-02-03; PrimeKG; ClinicalTrials.gov"
    # One disease under three identifiers (OMIM, MONDO, a trial's words), one drug under two.
    assert graph.entity_ids(Kind.DISEASE) == (marfan,)
    assert graph.entity_ids(Kind.DRUG) == (WARFARIN,)
    assert graph.targets("NCT01234567", Relation.STUDIES) == (marfan,)
    assert graph.targets("NCT01234567", Relation.TESTS) == (WARFARIN,)
    # The conflict stays, and each side says where it comes from.
    assert graph.conflicts(marfan, Relation.HAS_PHENOTYPE) == ("HP:0000518",)
    stated = graph.edges(marfan, Relation.HAS_PHENOTYPE, "HP:0000518")
    assert {(e.polarity.value, e.licence) for e in stated} == {
        ("positive", "HPO"),
        ("excluded", "PrimeKG; HPO"),
    }
    assert graph.counts["names_resolved"] == 2 and graph.counts["names_kept_apart"] == 1


def test_a_name_that_two_entities_have_is_kept_apart(tmp_path, study):
    tsv = written(
        tmp_path,
        "two.tsv",
        "source\trelation\ttarget\tsource_name\tsource_kind\n"
        "D:1\thas_phenotype\tP:1\tMarfan Syndrome\tdisease\n"
        "D:2\thas_phenotype\tP:1\tmarfan syndrome\tdisease\n",
    )
    trials = written(tmp_path, "studies.json", json.dumps({"studies": [study()]}))
    graph = assemble([read_triples(tsv), read_clinical_trials(trials)], shipped())
    (condition,) = graph.targets("NCT01234567", Relation.STUDIES)
    assert condition == named_id(Kind.DISEASE, "Marfan Syndrome")
    assert graph.counts["names_resolved"] == 0


def test_bad_rows_are_counted_and_the_first_is_said(tmp_path, capsys):
    path = written(tmp_path, "mine.tsv", TSV)
    config = GraphConfig(sources=[SourceConfig(format="triples", path=str(path))])
    assert build_graph(config).counts["bad_rows"] == 3
    said = capsys.readouterr().err
    assert "3 bad rows left out" in said and f"{path}:5" in said
