import igraph as ig
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.graph.chains import longest_chain


def brute_force(graph: ig.Graph, start: int, max_hops: int) -> int:
    """Length of the longest simple path, by trying them all."""

    def longest(chain: tuple[int, ...]) -> int:
        if len(chain) - 1 == max_hops:
            return max_hops
        further = [
            longest((*chain, target))
            for target in set(graph.successors(chain[-1]))
            if target not in chain
        ]
        return max(further, default=len(chain) - 1)

    return longest((start,))


@st.composite
def graphs(draw, acyclic=False):
    n = draw(st.integers(1, 7))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges = draw(st.lists(pair, max_size=18))
    if acyclic:
        edges = [(min(e), max(e)) for e in edges if e[0] != e[1]]
    return ig.Graph(n=n, edges=edges, directed=True)


def check_is_a_chain(graph, search, start, max_hops):
    assert search.vertices[0] == start
    assert len(set(search.vertices)) == len(search.vertices)
    assert search.num_hops == len(search.vertices) - 1 <= max_hops
    for i, edge in enumerate(search.edges):
        assert graph.es[edge].tuple == search.vertices[i : i + 2]


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(0, 7), st.integers(0, 1000))
def test_equals_brute_force_when_optimal(graph, max_hops, seed):
    search = longest_chain(graph, 0, max_hops=max_hops, rng=np.random.default_rng(seed))
    check_is_a_chain(graph, search, 0, max_hops)
    assert search.optimal
    assert search.num_hops == brute_force(graph, 0, max_hops)


@settings(max_examples=80, deadline=None)
@given(graphs(acyclic=True), st.integers(1, 7))
def test_acyclic_graphs_need_no_search(graph, max_hops):
    search = longest_chain(
        graph, 0, max_hops=max_hops, max_expansions=1, rng=np.random.default_rng(0)
    )
    check_is_a_chain(graph, search, 0, max_hops)
    assert search.optimal  # with a budget of one vertex: the bound alone leads there
    assert search.num_hops == brute_force(graph, 0, max_hops)


@settings(max_examples=80, deadline=None)
@given(graphs(), st.integers(1, 5))
def test_the_flag_never_claims_too_much(graph, budget):
    search = longest_chain(
        graph, 0, max_hops=6, max_expansions=budget, rng=np.random.default_rng(0)
    )
    check_is_a_chain(graph, search, 0, 6)
    best = brute_force(graph, 0, 6)
    assert search.num_hops <= best
    if search.optimal:
        assert search.num_hops == best


def test_a_complete_graph_ends_within_its_budget():
    # K30 has about 10^32 simple paths; the bound proves the first full-length one.
    graph = ig.Graph.Full(30, directed=True)
    search = longest_chain(graph, 0, max_hops=29, rng=np.random.default_rng(0))
    assert (search.num_hops, search.optimal) == (29, True)


def test_running_out_of_budget_is_said():
    # Two K12 that share vertex 0: the bound (23) can never be reached, nor soon disproven.
    clique = [(a, b) for a in range(12) for b in range(12) if a != b]
    other = [(a and a + 11, b and b + 11) for a, b in clique]
    graph = ig.Graph(n=23, edges=clique + other, directed=True)
    search = longest_chain(
        graph, 0, max_hops=22, max_expansions=3_000, rng=np.random.default_rng(0)
    )
    assert (search.num_hops, search.optimal) == (11, False)


def test_low_degree_neighbours_come_first():
    # 0 -> 1 (a hub with five spokes) -> 7 and 0 -> 2 -> 7: equally long, the hub is avoided.
    spokes = [(1, n) for n in (3, 4, 5, 6)] + [(n, 1) for n in (3, 4, 5, 6)]
    graph = ig.Graph(n=8, edges=[(0, 1), (0, 2), (1, 7), (2, 7), *spokes], directed=True)
    for seed in range(5):
        search = longest_chain(graph, 0, max_hops=2, rng=np.random.default_rng(seed))
        assert search.vertices == (0, 2, 7)


def test_equals_are_ordered_by_the_generator_alone():
    graph = ig.Graph(n=9, edges=[(0, n) for n in range(1, 9)], directed=True)
    picked = {
        seed: longest_chain(graph, 0, max_hops=3, rng=np.random.default_rng(seed)).vertices
        for seed in range(20)
    }
    again = {
        seed: longest_chain(graph, 0, max_hops=3, rng=np.random.default_rng(seed)).vertices
        for seed in range(20)
    }
    assert picked == again
    assert len(set(picked.values())) > 3


def test_bad_arguments_are_refused():
    graph = ig.Graph(n=2, directed=True)
    with pytest.raises(ValueError, match="start=2"):
        longest_chain(graph, 2, max_hops=1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="max_expansions=0"):
        longest_chain(graph, 0, max_hops=1, max_expansions=0, rng=np.random.default_rng(0))
