"""The lookup tool."""

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.tools.base import ToolError, check_arguments
from medr_jax.tools.lookup import LookupTool
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    entities = [
        Entity(
            id="MONDO:1",
            kind=Kind.DISEASE,
            name="Marfan syndrome",
            synonyms=("MFS1",),
            xrefs=("OMIM:154700",),
        ),
        Entity(id="MONDO:2", kind=Kind.DISEASE, name="Twin"),
        Entity(id="MONDO:3", kind=Kind.DISEASE, name="twin"),
        Entity(id="GENE:FBN1", kind=Kind.GENE, name="FBN1"),
        Entity(id="HP:1", kind=Kind.PHENOTYPE, name="Arachnodactyly", definition="Long fingers."),
        Entity(id="HP:2", kind=Kind.PHENOTYPE, name="Myopia"),
    ]
    has = Relation.HAS_PHENOTYPE
    edges = [
        Edge(source="MONDO:1", relation=has, target="HP:1", frequency="14/15", num_affected=14,
             num_observed=15, references=("PMID:1", "PMID:2")),
        Edge(source="MONDO:1", relation=has, target="HP:2", frequency="HP:0040283",
             references=("ORPHA:558",)),
        Edge(source="MONDO:2", relation=has, target="HP:1", polarity=Polarity.EXCLUDED,
             references=("PMID:3",)),
        Edge(source="MONDO:1", relation=Relation.ASSOCIATED_GENE, target="GENE:FBN1",
             origin="genes 2031"),
    ]  # fmt: skip
    return KnowledgeGraph.from_records(
        entities, edges, snapshot="HPO 2031", alternative_ids={"OMIM:154700": "MONDO:1"}
    )


def make(graph, **options):
    return LookupTool(graph, **{"facts_per_page": 20, **options})


@pytest.mark.parametrize(
    "written", ["MONDO:1", "mondo : 1", "OMIM:154700", "Marfan  SYNDROME", "mfs1"]
)
def test_an_entity_by_identifier_name_or_synonym(graph, written):
    (hit,) = make(graph)(entity=written).hits
    assert (hit.doc_id, hit.title, hit.kind) == ("MONDO:1", "Marfan syndrome", "disease")


def test_facts_carry_frequency_and_source(graph):
    (hit,) = make(graph)(entity="MONDO:1").hits
    assert hit.snippet == (
        "MONDO:1, disease. Synonyms: MFS1. Identifiers: OMIM:154700. "
        "has_phenotype: Arachnodactyly (HP:1) [14/15 PMID:1 PMID:2]; "
        "Myopia (HP:2) [5-29% ORPHA:558]. "
        "associated_gene: FBN1 (GENE:FBN1) [genes 2031]."
    )


def test_relations_are_read_from_both_ends_and_absences_are_said(graph):
    (hit,) = make(graph)(entity="HP:1", relation="phenotype_of").hits
    assert "Definition: Long fingers." in hit.snippet
    assert "Marfan syndrome (MONDO:1) [14/15 PMID:1 PMID:2]" in hit.snippet
    assert "Twin (MONDO:2) [reported absent PMID:3]" in hit.snippet
    (gene,) = make(graph)(entity="FBN1", relation="gene_of").hits
    assert "gene_of: Marfan syndrome (MONDO:1)" in gene.snippet
    assert make(graph)(entity="FBN1", relation="is_a").hits[0].snippet == "GENE:FBN1, gene."


def test_facts_come_in_pages(graph):
    paged = make(graph, facts_per_page=2)
    first, second = paged(entity="MONDO:1"), paged(entity="MONDO:1", page=2)
    assert first.text == second.text.replace("Page 2", "Page 1") == "Page 1 of 2; 3 facts."
    assert second.hits[0].snippet == "associated_gene: FBN1 (GENE:FBN1) [genes 2031]."
    with pytest.raises(ToolError, match="page 3 is beyond the last one, which is 2"):
        paged(entity="MONDO:1", page=3)


def test_an_ambiguous_name_is_not_guessed(graph):
    output = make(graph)(entity="twin")
    assert [hit.doc_id for hit in output.hits] == ["MONDO:2", "MONDO:3"]
    assert output.text == "2 entities have this name; give the identifier of one."


@pytest.mark.parametrize("written", ["Nope", "../etc/passwd", "\ud800", "HP:9"])
def test_an_unknown_entity_is_refused(graph, written):
    with pytest.raises(ToolError, match="no entity"):
        make(graph)(entity=written)


def test_hidden_entities_are_neither_found_nor_named(graph):
    hiding = make(graph, exclude={"MONDO:1"})
    for written in ("MONDO:1", "OMIM:154700", "mfs1"):
        with pytest.raises(ToolError, match="no entity"):
            hiding(entity=written)
    assert "Marfan" not in hiding(entity="FBN1").hits[0].snippet


def test_the_schema_knows_the_relations(graph):
    tool = make(graph)
    check_arguments(tool, {"entity": "x", "relation": "gene_of", "page": 2})
    for wrong in ({"entity": "x", "relation": "likes"}, {"entity": "x", "page": 0}, {}):
        with pytest.raises(ToolError, match="lookup"):
            check_arguments(tool, wrong)
