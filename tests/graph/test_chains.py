import igraph as ig
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.graph.chains import ChainFinder, longest_chain
from medr_jax.graph.patterns import Patterns, parse_step
from medr_jax.graph.sampling import Sampler, SubgraphLimits
from medr_jax.types import Relation


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


BUDGET = {"max_hops": 6, "max_expansions": 20_000}


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_branches_leave_the_chain_for_good(graph):
    chains = ChainFinder.of_graph(graph, np.random.default_rng(0))
    main = chains.longest(0, **BUDGET)
    for branch in chains.branches(main, **BUDGET):
        at = branch.vertices[0]
        check_is_a_chain(graph, branch, at, 6)
        assert set(branch.vertices) & set(main.vertices) == {at}
        without = graph.copy()
        gone = [v for v in main.vertices if v != at]
        without.delete_edges([e.index for e in without.es if e.source in gone or e.target in gone])
        assert branch.num_hops == brute_force(without, at, 6 - main.vertices.index(at))


def pattern_brute_force(graph, arcs, patterns, start, max_hops):
    def longest(chain, edges):
        best = len(edges)
        if best == max_hops:
            return best
        for edge in graph.es:
            if edge.source == chain[-1] and edge.target not in chain:
                steps = [arcs[e] for e in (*edges, edge.index)]
                if any(
                    all(step == p[i % len(p)] for i, step in enumerate(steps)) for p in patterns
                ):
                    best = max(best, longest((*chain, edge.target), (*edges, edge.index)))
        return best

    return longest((start,), ())


@settings(max_examples=30, deadline=None)
@given(graphs(), st.lists(st.lists(st.booleans(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_patterns_hold_and_are_searched_exhaustively(graph, shapes):
    graph.simplify(loops=False)  # of parallel arcs the first counts
    names = {False: "has_phenotype", True: "~has_phenotype"}
    patterns = [[names[step] for step in shape] for shape in shapes]
    parsed = [[parse_step(step) for step in pattern] for pattern in patterns]
    arcs = [(Relation.HAS_PHENOTYPE, e.index % 2 == 1) for e in graph.es]
    chains = ChainFinder.of_graph(graph, np.random.default_rng(0))
    found = chains.longest(0, **BUDGET, patterns=Patterns(patterns, arcs))
    steps = [arcs[edge] for edge in found.edges]
    assert any(all(s == p[i % len(p)] for i, s in enumerate(steps)) for p in parsed)
    assert found.num_hops == pattern_brute_force(graph, arcs, parsed, 0, 6)


def test_a_pattern_must_name_relations():
    with pytest.raises(ValueError, match="pattern step '~likes': 'likes' is none of"):
        Patterns([["has_phenotype", "~likes"]], [])
    with pytest.raises(ValueError, match="a pattern has no steps"):
        Patterns([[]], [])


def test_a_neighbourhood_is_searched_as_its_igraph_graph_is(hpo_graph):
    sampler = Sampler(hpo_graph, SubgraphLimits(max_entities=60))
    for number, seed in enumerate(hpo_graph.entity_ids("disease")[::900]):
        near = sampler.around(seed, np.random.default_rng(number))
        drawn = near.igraph(hpo_graph)
        found = ChainFinder.of_neighbourhood(near, np.random.default_rng(1)).longest(0, **BUDGET)
        slow = longest_chain(drawn, 0, **BUDGET, rng=np.random.default_rng(1))
        assert found.vertices == slow.vertices
        check_is_a_chain(drawn, found, 0, 6)
