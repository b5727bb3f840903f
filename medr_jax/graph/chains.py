"""Longest simple chain from a vertex: exact where that is cheap, budgeted search elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import igraph as ig
import numpy as np

from medr_jax.graph.patterns import Patterns
from medr_jax.graph.sampling import Neighbourhood

Steps = Mapping[int, list[tuple[int, int]]]  # vertex -> (target, edge) in the order to be tried


class ChainSearch(NamedTuple):
    """The longest chain found. ``edges[i]`` leads from ``vertices[i]`` to ``vertices[i + 1]``."""

    vertices: tuple[int, ...]
    edges: tuple[int, ...]
    optimal: bool  # no longer chain exists within max_hops; False: the budget ran out first

    @property
    def num_hops(self) -> int:
        """Number of edges."""
        return len(self.edges)


def longest_chain(
    graph: ig.Graph,
    start: int,
    *,
    max_hops: int,
    max_expansions: int = 20_000,
    rng: np.random.Generator,
) -> ChainSearch:
    """The longest simple directed chain of at most ``max_hops`` edges that begins at ``start``.

    From each vertex at most max over its successors' components (their sizes summed along the
    condensation) can still be visited. On an acyclic graph that bound is exact and is followed
    downhill: no search. Elsewhere depth-first search tries low degrees first and drops
    branches that the bound rules out, for at most ``max_expansions`` vertices. ``rng`` orders
    equals, so equal generators give equal chains. Parallel edges count as their first one.

    Raises:
        ValueError: ``start`` is not a vertex, or a limit is below its minimum.
    """
    if not 0 <= start < graph.vcount():
        raise ValueError(f"start={start}: the graph has vertices 0 to {graph.vcount() - 1}")
    if max_hops < 0 or max_expansions < 1:
        raise ValueError(
            f"max_hops={max_hops} must be >= 0 and max_expansions={max_expansions} >= 1"
        )
    steps = _reachable(graph, start, max_hops, rng)
    bound, acyclic = _hop_bounds(steps)
    if acyclic:
        return _downhill(steps, bound, start, max_hops)
    return _search(steps, bound, start, max_hops, max_expansions)


class ChainFinder:
    """Longest chains within one small graph, from any of its vertices.

    The same search as ``longest_chain``, prepared once: ``bound[v]`` limits the hops from v,
    exactly where the graph is acyclic.
    """

    def __init__(
        self, steps: Steps, bound: Mapping[int, int] | Sequence[int], *, acyclic: bool
    ) -> None:
        self._steps, self._bound, self._acyclic = steps, bound, acyclic

    @classmethod
    def of_graph(cls, graph: ig.Graph, rng: np.random.Generator) -> "ChainFinder":
        """Over a directed igraph graph; parallel edges count as their first one."""
        rank = rng.permutation(graph.vcount())
        degree = graph.degree()
        steps: dict[int, list[tuple[int, int]]] = {}
        for vertex in range(graph.vcount()):
            first: dict[int, int] = {}
            for edge in sorted(graph.incident(vertex, mode="out")):
                if graph.es[edge].target != vertex:
                    first.setdefault(graph.es[edge].target, edge)
            steps[vertex] = sorted(first.items(), key=lambda s: (degree[s[0]], rank[s[0]]))
        bound, acyclic = _hop_bounds(steps)
        return cls(steps, bound, acyclic=acyclic)

    @classmethod
    def of_neighbourhood(cls, near: Neighbourhood, rng: np.random.Generator) -> "ChainFinder":
        """Over a neighbourhood, whose arcs come in pairs: every vertex reaches every other."""
        number = len(near.positions)
        rank = rng.permutation(number)
        degree = 2 * np.bincount(near.sources, minlength=number)  # arcs in and out
        fresh = near.sources != near.targets
        fresh[1:] &= (near.sources[1:] != near.sources[:-1]) | (
            near.targets[1:] != near.targets[:-1]
        )
        arcs = np.flatnonzero(fresh)
        sources, targets = near.sources[arcs], near.targets[arcs]
        widest = int(degree.max(initial=0)) + 1
        first = (sources * widest + degree[targets]) * number + rank[targets]
        order = np.argsort(first, kind="stable")
        pairs = list(zip(targets[order].tolist(), arcs[order].tolist(), strict=True))
        ends = np.searchsorted(sources, np.arange(number + 1)).tolist()
        steps = {vertex: pairs[ends[vertex] : ends[vertex + 1]] for vertex in range(number)}
        return cls(steps, [number - 1] * number, acyclic=number == 1)

    def longest(
        self,
        start: int,
        *,
        max_hops: int,
        max_expansions: int,
        barred: Collection[int] = (),
        patterns: Patterns | None = None,
    ) -> ChainSearch:
        """The longest simple chain from ``start`` that keeps off ``barred`` vertices.

        With ``patterns`` its relations follow one of them.
        """
        if self._acyclic and not barred and patterns is None:
            return _downhill(self._steps, self._bound, start, max_hops)
        return _search(self._steps, self._bound, start, max_hops, max_expansions, barred, patterns)

    def branches(
        self, chain: ChainSearch, *, max_hops: int, max_expansions: int
    ) -> list[ChainSearch]:
        """From each vertex of a chain the longest chain that leaves it and never comes back.

        One per vertex that has any, of at most ``max_hops`` minus its distance from the start.
        """
        found = []
        for distance, vertex in enumerate(chain.vertices):
            room = max_hops - distance
            if room > 0:
                branch = self.longest(
                    vertex, max_hops=room, max_expansions=max_expansions, barred=chain.vertices
                )
                if branch.edges:
                    found.append(branch)
        return found


def _reachable(graph: ig.Graph, start: int, max_hops: int, rng: np.random.Generator) -> Steps:
    """Steps out of every vertex within ``max_hops`` of ``start``, low degree first."""
    rank = rng.permutation(graph.vcount())
    steps: Steps = {}
    frontier, hops = [start], 0
    while frontier:
        fresh = []
        for vertex in frontier:
            first_edge: dict[int, int] = {}
            if hops < max_hops:
                for edge in sorted(graph.incident(vertex, mode="out")):
                    target = graph.es[edge].target
                    if target != vertex:
                        first_edge.setdefault(target, edge)
            steps[vertex] = list(first_edge.items())
            fresh.extend(first_edge)
        frontier = [vertex for vertex in dict.fromkeys(fresh) if vertex not in steps]
        hops += 1
    degree = dict(zip(steps, graph.degree(list(steps)), strict=True))
    for leaving in steps.values():
        leaving.sort(key=lambda step: (degree[step[0]], rank[step[0]]))
    return steps


def _hop_bounds(steps: Steps) -> tuple[dict[int, int], bool]:
    """Upper bound of hops from each vertex, and whether the graph is acyclic (bound exact)."""
    local = {vertex: i for i, vertex in enumerate(steps)}
    pairs = [(local[v], local[target]) for v, leaving in steps.items() for target, _ in leaving]
    condensed = ig.Graph(n=len(local), edges=pairs, directed=True).connected_components("strong")
    dag = condensed.cluster_graph()
    heaviest = condensed.sizes()
    for component in reversed(dag.topological_sorting()):
        below = [heaviest[target] for target in dag.successors(component)]
        heaviest[component] += max(below, default=0)
    bound = {vertex: heaviest[condensed.membership[i]] - 1 for vertex, i in local.items()}
    return bound, len(condensed) == len(local)


def _downhill(steps: Steps, bound: dict[int, int], start: int, max_hops: int) -> ChainSearch:
    vertices, edges = [start], []
    while len(edges) < max_hops and steps[vertices[-1]]:
        # max keeps the first of equals, and steps stand low degree first.
        target, edge = max(steps[vertices[-1]], key=lambda step: bound[step[0]])
        vertices.append(target)
        edges.append(edge)
    return ChainSearch(tuple(vertices), tuple(edges), True)


def _search(
    steps: Steps,
    bound: Mapping[int, int] | Sequence[int],
    start: int,
    max_hops: int,
    max_expansions: int,
    barred: Collection[int] = (),
    patterns: Patterns | None = None,
) -> ChainSearch:
    most = min(max_hops, bound[start])
    vertices, edges, on_chain = [start], [], {start, *barred}
    best: tuple[tuple[int, ...], tuple[int, ...]] = ((start,), ())
    waiting = [iter(steps[start])]
    following = [patterns.all if patterns else 0]  # which patterns the chain so far follows
    expansions = 1
    while waiting and len(best[1]) < most:
        step = next(waiting[-1], None)
        if step is None:
            waiting.pop()
            on_chain.discard(vertices.pop())
            if edges:
                edges.pop()
                following.pop()
            continue
        target, edge = step
        reach = min(len(edges) + 1 + bound[target], max_hops)
        if target in on_chain or reach <= len(best[1]):
            continue
        if patterns:
            followed = patterns.still(following[-1], len(edges), edge)
            if not followed:
                continue
            following.append(followed)
        else:
            following.append(0)
        if expansions == max_expansions:
            return ChainSearch(*best, False)
        expansions += 1
        vertices.append(target)
        edges.append(edge)
        on_chain.add(target)
        waiting.append(iter(steps[target]))
        if len(edges) > len(best[1]):
            best = (tuple(vertices), tuple(edges))
    return ChainSearch(*best, True)
