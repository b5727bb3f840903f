import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

HAS, GENE, IS_A = Relation.HAS_PHENOTYPE, Relation.ASSOCIATED_GENE, Relation.IS_A

NODES = [f"{letter}{n}" for letter in "DPG" for n in range(3)]
EDGES = st.lists(
    st.builds(
        Edge,
        source=st.sampled_from(NODES),
        relation=st.sampled_from([HAS, GENE, IS_A]),
        target=st.sampled_from(NODES),
        polarity=st.sampled_from(Polarity),
        num_observed=st.one_of(st.none(), st.integers(0, 3)),
        references=st.sampled_from([(), ("PMID:1",), ("PMID:1", "PMID:2")]),
        onset=st.sampled_from(["", "HP:1"]),
    ),
    max_size=25,
)


def graph_of(edges):
    entities = [Entity(id=i, kind=Kind.GENE, name=i) for i in NODES]
    return KnowledgeGraph.from_records(entities, edges, snapshot="T 1")


@settings(max_examples=80, deadline=None)
@given(EDGES)
def test_look_ups_equal_a_scan_of_the_edges(edges):
    graph = graph_of(edges)
    for node in NODES:
        for relation in (HAS, GENE, IS_A):
            mine = [e for e in edges if e.relation is relation]
            for polarity in Polarity:
                stated = [e for e in mine if e.polarity is polarity]
                assert graph.targets(node, relation, polarity) == tuple(
                    sorted({e.target for e in stated if e.source == node})
                )
                assert graph.sources(node, relation, polarity) == tuple(
                    sorted({e.source for e in stated if e.target == node})
                )
            both = {e.target for e in mine if e.source == node and e.polarity == "positive"} & {
                e.target for e in mine if e.source == node and e.polarity == "excluded"
            }
            assert graph.conflicts(node, relation) == tuple(sorted(both))
            out = len({e.target for e in mine if e.source == node})
            into = len({e.source for e in mine if e.target == node})
            assert graph.degree(node, relation) == out + into
        assert set(graph.edges_of(node)) == {e for e in edges if e.source == node}
    for source, target in itertools.product(NODES, NODES):
        for relation in (HAS, GENE, IS_A):
            assert set(graph.edges(source, relation, target)) == {
                e for e in edges if (e.source, e.relation, e.target) == (source, relation, target)
            }


@settings(max_examples=30, deadline=None)
@given(EDGES, st.randoms(use_true_random=False))
def test_the_hash_is_of_the_content_not_of_its_order(edges, rng):
    shuffled = edges + edges[:3]  # a repeated row states nothing new
    rng.shuffle(shuffled)
    assert graph_of(edges).content_hash == graph_of(shuffled).content_hash


def test_the_hash_sees_every_field(make_graph):
    edge = Edge(source="D1", relation=HAS, target="P1")
    base = make_graph(edge).content_hash
    for changed in (
        {"polarity": Polarity.EXCLUDED}, {"num_affected": 0}, {"references": ("PMID:1",)},
        {"licence": "x"}, {"sex": "MALE"}, {"relation": GENE},
    ):  # fmt: skip
        other = make_graph(Edge(**{"source": "D1", "relation": HAS, "target": "P1", **changed}))
        assert other.content_hash != base, changed
    assert make_graph(edge, names={"D1": "x"}).content_hash != base
    assert make_graph(edge, alternative_ids={"OMIM:1": "D1"}).content_hash != base


def test_closure_is_transitive_and_without_itself(make_graph):
    # a diamond over P1, and P5 apart
    graph = make_graph(
        ("P1", IS_A, "P2"), ("P1", IS_A, "P3"), ("P2", IS_A, "P4"), ("P3", IS_A, "P4"),
        ("P5", IS_A, "P6"), ("D1", HAS, "P1"), ("D2", HAS, "P3"), ("D3", HAS, "P4"),
        ("D4", HAS, "P2", Polarity.EXCLUDED), ("D5", HAS, "P5"),
    )  # fmt: skip
    assert graph.parents("P1") == ("P2", "P3")
    assert graph.children("P4") == ("P2", "P3")
    assert graph.ancestors("P1") == {"P2", "P3", "P4"}
    assert graph.descendants("P4") == {"P1", "P2", "P3"}
    assert graph.ancestors("P4") == frozenset()
    # D4's excluded edge is no match; D5 is elsewhere; a descendant satisfies an ancestor.
    assert graph.sources_under("P4", HAS) == {"D1", "D2", "D3"}
    assert graph.sources_under("P2", HAS) == {"D1"}
    assert graph.sources_under("P1", HAS) == {"D1"}


def test_closures_do_not_depend_on_the_order_of_asking(make_graph):
    # a line P1 - P2 - P3 - P4: whoever is asked first is cached and met again by the next
    lines = [(f"P{n}", IS_A, f"P{n + 1}") for n in (1, 2, 3)]
    for order in itertools.permutations((1, 2, 3, 4)):
        graph = make_graph(*lines)
        for n in order:
            assert graph.ancestors(f"P{n}") == {f"P{m}" for m in range(n + 1, 5)}
            assert graph.descendants(f"P{n}") == {f"P{m}" for m in range(1, n)}


def test_unknown_ids_are_named_in_the_error(make_graph):
    graph = make_graph(("D1", HAS, "P1"), alternative_ids={"OMIM:1": "D1"})
    with pytest.raises(ValueError, match="no entity 'D9' in TEST 1"):
        graph.entity("D9")
    with pytest.raises(ValueError, match="'OMIM:1' in TEST 1; it stands under 'D1'"):
        graph.targets("OMIM:1", HAS)
    assert "OMIM:1" not in graph
    assert graph.resolve("OMIM:1") == graph.resolve("D1") == "D1"
    with pytest.raises(ValueError, match="D9"):
        graph.resolve("D9")


def test_records_that_do_not_fit_are_refused():
    twice = [Entity(id="a", kind=Kind.GENE, name=n) for n in "xy"]
    with pytest.raises(ValueError, match="'a' is given twice"):
        KnowledgeGraph.from_records(twice, [], snapshot="T")
    with pytest.raises(ValueError, match="'b', which is no entity"):
        KnowledgeGraph.from_records(
            twice[:1], [Edge(source="a", relation=HAS, target="b")], snapshot="T"
        )


def test_shared_names_are_reported(make_graph):
    graph = make_graph(("D1", HAS, "P1"), names={"D1": "Cleft  Palate", "P1": "cleft palate"})
    assert graph.same_name("D1") == ("P1",)
    assert graph.same_name("P1") == ("D1",)
    assert graph.counts["shared_names"] == 2


def test_igraph_has_one_edge_per_pair(make_graph):
    graph = make_graph(
        Edge(source="D1", relation=HAS, target="P1", references=("PMID:1",)),
        Edge(source="D1", relation=HAS, target="P1", references=("PMID:2",)),
        Edge(source="D1", relation=HAS, target="P2"),
        Edge(source="D1", relation=HAS, target="P2", polarity=Polarity.EXCLUDED),
        Edge(source="D1", relation=GENE, target="G1"),
    )
    drawn = graph.igraph
    found = sorted(
        (drawn.vs[e.source]["name"], e["relation"], e["polarity"], drawn.vs[e.target]["name"])
        for e in drawn.es
    )
    assert found == [
        ("D1", "associated_gene", "positive", "G1"),
        ("D1", "has_phenotype", "conflict", "P2"),
        ("D1", "has_phenotype", "positive", "P1"),
    ]
    assert drawn.vs.find("G1")["kind"] == "gene"


@settings(max_examples=15, deadline=None)
@given(EDGES)
def test_saved_graphs_load_equal(tmp_path_factory, edges):
    graph = graph_of(edges)
    path = tmp_path_factory.mktemp("graph")
    graph.save(path)
    loaded = KnowledgeGraph.load(path)
    assert loaded.content_hash == graph.content_hash
    assert loaded.counts == graph.counts
    for node in NODES:
        assert list(loaded.edges_of(node)) == list(graph.edges_of(node))


def test_saving_twice_gives_the_same_bytes(make_graph, tmp_path):
    graph = make_graph(("D1", HAS, "P1"), counts={"rows": 1})
    graph.save(tmp_path / "a")
    KnowledgeGraph.load(tmp_path / "a").save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    "name", ["entities.jsonl", "ids.json", "edge.source.npy", "adjacency.forward.npy", "graph.json"]
)
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage", "flipped"])
def test_damage_is_found_and_said(make_graph, tmp_path, name, damage):
    make_graph(("D1", HAS, "P1"), ("D2", HAS, "P1")).save(tmp_path)
    file = tmp_path / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        file.write_bytes(b"\x00" * 100)
    elif name.endswith(".npy"):
        np.save(file, np.load(file)[::-1])
    else:
        file.write_bytes(content.replace(b"D1", b"D0"))
        if name == "graph.json":
            file.write_bytes(content.replace(b"TEST 1", b"TEST 2"))
    with pytest.raises(ValueError, match=str(tmp_path)):
        KnowledgeGraph.load(tmp_path)
