import numpy as np
import pytest

from medr_jax.graph.sampling import Sampler, SubgraphLimits, subgraph
from medr_jax.types import Polarity, Relation

HAS, GENE = Relation.HAS_PHENOTYPE, Relation.ASSOCIATED_GENE
WIDE = SubgraphLimits(max_entities=50, max_degree=50, max_branches=50)


def names(drawn):
    return set(drawn.vs["name"])


def test_grows_both_ways_and_keeps_only_clean_pairs(make_graph):
    graph = make_graph(
        ("D1", HAS, "P1"), ("D2", HAS, "P1"), ("D2", GENE, "G1"), ("D3", GENE, "G1"),
        ("D1", HAS, "P8", Polarity.EXCLUDED),
        ("D1", HAS, "P9"), ("D1", HAS, "P9", Polarity.EXCLUDED),
        ("P1", Relation.IS_A, "P7"), ("D9", HAS, "P5"),
        ("D2", HAS, "P3"), ("D1", HAS, "P3", Polarity.EXCLUDED),  # chosen, yet no pair of D1
    )  # fmt: skip
    drawn = subgraph(graph, "D1", rng=np.random.default_rng(0), limits=WIDE)
    assert drawn.vs[0]["name"] == "D1"
    # not P8 (excluded), P9 (conflict), P7 (other relation), D9 (elsewhere)
    assert names(drawn) == {"D1", "P1", "D2", "P3", "G1", "D3"}
    found = {
        (drawn.vs[e.source]["name"], e["relation"], drawn.vs[e.target]["name"], e["inverse"])
        for e in drawn.es
    }
    assert ("D2", "associated_gene", "G1", False) in found
    assert ("G1", "associated_gene", "D2", True) in found
    assert len(found) == drawn.ecount() == 10


def test_hubs_are_left_out_unless_they_are_the_seed(make_graph):
    spokes = [(f"D{n}", HAS, "P0") for n in range(1, 8)]
    graph = make_graph(*spokes, ("D1", HAS, "P1"), ("D2", HAS, "P1"))
    limits = SubgraphLimits(max_degree=6, max_branches=50)
    drawn = subgraph(graph, "D1", rng=np.random.default_rng(0), limits=limits)
    assert names(drawn) == {"D1", "P1", "D2"}  # P0 has 7 pairs
    drawn = subgraph(graph, "P0", rng=np.random.default_rng(0), limits=limits)
    assert len(names(drawn)) == 9


def test_limits_hold_and_the_result_is_connected(hpo_graph):
    limits = SubgraphLimits(max_entities=40, max_degree=30, max_branches=4, max_distance=4)
    degrees = hpo_graph.adjacency.degrees([HAS, GENE])
    for seed, entity_id in enumerate(hpo_graph.entity_ids("disease")[::400]):
        drawn = subgraph(hpo_graph, entity_id, rng=np.random.default_rng(seed), limits=limits)
        again = subgraph(hpo_graph, entity_id, rng=np.random.default_rng(seed), limits=limits)
        assert drawn.vs["name"] == again.vs["name"]
        assert drawn.get_edgelist() == again.get_edgelist()
        assert 1 <= drawn.vcount() <= 40
        assert drawn.is_connected(mode="weak")
        assert len(set(drawn.vs["name"])) == drawn.vcount()
        assert max(drawn.distances(0, mode="all")[0]) <= 4
        for name in drawn.vs["name"][1:]:
            assert degrees[hpo_graph.position(name)] <= 30
            assert (
                hpo_graph.degree(name, HAS) + hpo_graph.degree(name, GENE)
                == degrees[hpo_graph.position(name)]
            )


def test_limits_below_one_are_refused():
    with pytest.raises(ValueError, match="max_branches=0"):
        SubgraphLimits(max_branches=0)


def test_a_sampler_forgets_the_last_neighbourhood(make_graph):
    graph = make_graph(("D1", HAS, "P1"), ("D2", HAS, "P1"), ("D2", HAS, "P2"))
    sampler = Sampler(graph, WIDE)
    for seed in ("D1", "P2", "D1"):
        near = sampler.around(seed, np.random.default_rng(0))
        assert len(near.positions) == 4  # the second would be empty if the first stayed marked
        assert graph.entity_ids()[near.positions[0]] == seed


def test_branches_and_entities_are_capped_in_the_frontiers_order(make_graph):
    graph = make_graph(*((f"D{d}", HAS, f"P{d}{p}") for d in range(3) for p in range(6)),
                       *(("D9", HAS, f"P{d}0") for d in range(3)))  # fmt: skip
    limits = SubgraphLimits(max_entities=50, max_degree=50, max_branches=2, max_distance=3)
    drawn = subgraph(graph, "D9", rng=np.random.default_rng(1), limits=limits)
    # 2 of D9's 3 phenotypes, their 2 diseases, 2 fresh phenotypes of each of these
    assert drawn.vcount() == 1 + 2 + 2 + 4
