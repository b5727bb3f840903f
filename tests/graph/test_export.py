import json

import pytest

from medr_jax.graph.build import assemble
from medr_jax.graph.export import export_graph, is_allowed
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.mondo_table import MondoTable
from medr_jax.graph.sources.triples import read_triples
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

HAS = Relation.HAS_PHENOTYPE


@pytest.fixture
def mixed(make_graph):
    """Edges of three licences; a tab and a line break where none belong."""
    return make_graph(
        Edge(source="D1", relation=HAS, target="P1", licence="HPO", references=("PMID:1", "X:2"),
             num_affected=1, num_observed=3, origin="a\tb", date="2031-02", qualifier="q"),
        Edge(source="D1", relation=HAS, target="P1", licence="Other", polarity=Polarity.EXCLUDED,
             origin="x"),
        Edge(source="D2", relation=HAS, target="P1", licence="HPO; Orphanet CC-BY-4.0",
             origin="x"),
        Edge(source="D2", relation=Relation.CONTRAINDICATED_IN, target="P2", licence="Other",
             origin="x"),
        names={"D1": "one\ntwo"},
    )  # fmt: skip


def edges(graph):
    return {edge for one in graph.entity_ids() for edge in graph.edges_of(one)}


@pytest.mark.parametrize("form", ["tsv", "jsonl"])
def test_what_is_exported_is_read_back(mixed, tmp_path, form):
    assert export_graph(mixed, tmp_path, format=form) == {"edges": 4, "left_out": 0}
    records = read_triples(tmp_path / f"edges.{form}")
    assert not records.problems
    again = assemble([records], MondoTable([]))
    flat = {edge for edge in edges(mixed) if "\t" not in edge.origin}
    assert len(flat) == 3 and flat <= edges(again)
    assert len(edges(again)) == 4
    assert {e.id: e.kind for e in map(again.entity, again.entity_ids())} == {
        e.id: e.kind for e in map(mixed.entity, mixed.entity_ids())
    }
    assert again.entity("D1").name == "one two"


def test_an_edge_needs_every_licence_allowed(mixed, tmp_path):
    kept = export_graph(mixed, tmp_path, format="jsonl", license_allow=["HPO"])
    # "HPO; Orphanet" is not under HPO alone: 1 edge, not 2
    assert kept == {"edges": 1, "left_out": 3}
    (row,) = map(json.loads, (tmp_path / "edges.jsonl").read_text().splitlines())
    assert (row["source"], row["target"], row["licence"]) == ("D1", "P1", "HPO")
    told = json.loads((tmp_path / "licences.json").read_text())
    assert told["kept"] == {"HPO": 1}
    assert told["left_out"] == {"HPO; Orphanet CC-BY-4.0": 1, "Other": 2}
    assert is_allowed("HPO", ["HPO"]) and not is_allowed("", ["HPO"])


def test_names_of_mondo_go_with_its_licence(tmp_path):
    graph = KnowledgeGraph.from_records(
        [
            Entity(id="MONDO:1", kind=Kind.DISEASE, name="MONDO's label"),
            Entity(id="P1", kind=Kind.PHENOTYPE, name="finding"),
        ],
        [Edge(source="MONDO:1", relation=HAS, target="P1", licence="HPO")],
        snapshot="T",
    )
    export_graph(graph, tmp_path, format="jsonl", license_allow=["HPO"])
    assert "MONDO's label" not in (tmp_path / "edges.jsonl").read_text()
    export_graph(graph, tmp_path, format="jsonl")
    assert "MONDO's label" in (tmp_path / "edges.jsonl").read_text()


def test_typos_are_refused(mixed, tmp_path):
    with pytest.raises(ValueError, match=r"license_allow=\['hpo'\]: the graph has only 'HPO'"):
        export_graph(mixed, tmp_path, format="tsv", license_allow=["hpo"])
    with pytest.raises(ValueError, match="format='csv': choose one of tsv, jsonl"):
        export_graph(mixed, tmp_path, format="csv")
