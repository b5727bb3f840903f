"""Chains of functional hops around a seed entity."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import igraph as ig
import numpy as np

from medr_jax.graph.chains import ChainFinder, ChainSearch, longest_chain
from medr_jax.graph.patterns import Patterns
from medr_jax.questions.hops import FORMS, Form, HopFinder
from medr_jax.types import OPEN_KINDS, Hop, Kind

_STARTS_WITHIN = 2  # hops of the seed in which ``start_of_longest`` looks
_MAX_STARTS = 8


class Grown(NamedTuple):
    """Hops from the seed to an answer; ``optimal`` as the search reported it."""

    hops: tuple[Hop, ...]
    optimal: bool


class _Subgraph:
    """Functional hops reachable from a seed, as a directed graph whose vertex 0 is the seed.

    Modes, onsets, courses and parent terms end a chain, so they are vertices of their own
    without edges: a parent term that could go on would make every long chain a walk up the
    ontology.
    """

    def __init__(
        self, finder: HopFinder, seed_id: str, max_hops: int, allowed: Callable[[str], bool]
    ) -> None:
        self._finder = finder
        self._allowed = allowed
        self._vertices = {(seed_id, False): 0}
        self.hop_of: dict[tuple[int, int], Hop] = {}
        frontier = [(seed_id, "")]
        for _ in range(max_hops):
            frontier = [
                arrival
                for source_id, previous_id in frontier
                for arrival in self._expand(source_id, previous_id)
            ]
        self.graph = ig.Graph(n=len(self._vertices), edges=sorted(self.hop_of), directed=True)

    def starts(self) -> list[str]:
        """Entities at which a question may begin: the seed, then diseases and genes around."""
        kinds = (Kind.DISEASE, Kind.GENE)
        graph = self._finder.graph
        return [
            entity_id
            for (entity_id, ended), vertex in self._vertices.items()
            if not ended and (vertex == 0 or graph.entity(entity_id).kind in kinds)
        ]

    def patterns(self, patterns: Sequence[Sequence[str]]) -> Patterns:
        """What chains must follow."""
        hops = (self.hop_of[pair] for pair in sorted(self.hop_of))
        return Patterns(patterns, [(hop.relation, hop.inverse) for hop in hops])

    def hops(self, chain: ChainSearch) -> list[Hop]:
        """The chain's hops."""
        steps = zip(chain.vertices, chain.vertices[1:], strict=False)
        return [self.hop_of[pair] for pair in steps]

    def _expand(self, source_id: str, previous_id: str) -> Iterator[tuple[str, str]]:
        source = self._vertices[source_id, False]
        for hop in self._finder.hops(source_id, previous_id):
            if not self._allowed(hop.target_id):
                continue
            key = (hop.target_id, ends_chain(self._finder, hop))
            target = self._vertices.setdefault(key, len(self._vertices))
            if target and (source, target) not in self.hop_of:
                self.hop_of[source, target] = hop
                if not key[1]:
                    yield hop.target_id, source_id


def ends_chain(finder: HopFinder, hop: Hop) -> bool:
    """Whether nothing is asked about the hop's target."""
    kind = finder.graph.entity(hop.target_id).kind
    return kind not in OPEN_KINDS or FORMS[hop.relation, hop.inverse] is Form.PARENT


def start_of_longest(
    finder: HopFinder,
    seed_id: str,
    *,
    max_hops: int,
    max_expansions: int,
    rng: random.Random,
    allowed: Callable[[str], bool],
) -> str:
    """The seed, or the disease or gene within two hops of it, from which the longest chain begins.

    The first of equals, nearest to the seed. A chain from elsewhere may walk through the seed.
    The starts (no more than ``_MAX_STARTS``) share the budget.
    """
    starts = _Subgraph(finder, seed_id, _STARTS_WITHIN, allowed).starts()[:_MAX_STARTS]
    draws = np.random.default_rng(rng.getrandbits(64))
    budget = max(1, max_expansions // len(starts))
    best, most = seed_id, -1
    for start_id in starts:
        found = longest_chain(
            _Subgraph(finder, start_id, max_hops, allowed).graph,
            0,
            max_hops=max_hops,
            max_expansions=budget,
            rng=draws,
        )
        if found.num_hops > most:
            best, most = start_id, found.num_hops
        if most == max_hops:
            break
    return best


def grow(
    finder: HopFinder,
    start_id: str,
    *,
    max_hops: int,
    max_expansions: int,
    rng: random.Random,
    allowed: Callable[[str], bool],
    augmented: bool = False,
    patterns: Sequence[Sequence[str]] = (),
) -> list[Grown]:
    """The longest chain from an entity, its prefixes, and their other endings.

    ``allowed`` says which entities may stand in the chain. ``augmented`` adds the longest
    branch off each entity of the chain; ``patterns`` are sequences of relations, one of which
    every chain follows. Shorter chains come first; two chains never have the same hops.
    """
    around = _Subgraph(finder, start_id, max_hops, allowed)
    draws = np.random.default_rng(rng.getrandbits(64))
    limits = {"max_hops": max_hops, "max_expansions": max_expansions}
    if not augmented and not patterns:
        found = longest_chain(around.graph, 0, **limits, rng=draws)
        return _endings(finder, start_id, around.hops(found), found.optimal, max_hops, allowed)
    chains = ChainFinder.of_graph(around.graph, draws)
    if patterns:
        found = chains.longest(0, **limits, patterns=around.patterns(patterns))
        hops = tuple(around.hops(found))
        return [Grown(hops[:size], found.optimal) for size in range(1, len(hops) + 1)]
    found = chains.longest(0, **limits)
    main = around.hops(found)
    grown = _endings(finder, start_id, main, found.optimal, max_hops, allowed)
    for branch in chains.branches(found, **limits):
        prefix = main[: found.vertices.index(branch.vertices[0])]
        hops = [*prefix, *around.hops(branch)]
        grown += _endings(
            finder, start_id, hops, found.optimal and branch.optimal, max_hops, allowed
        )
    unique: dict[tuple[Hop, ...], Grown] = {}
    for one in grown:
        unique.setdefault(one.hops, one)
    return sorted(unique.values(), key=lambda one: len(one.hops))


def _endings(
    finder: HopFinder,
    start_id: str,
    chain: Sequence[Hop],
    optimal: bool,
    max_hops: int,
    allowed: Callable[[str], bool],
) -> list[Grown]:
    """The prefixes of a chain with every ending, shorter ones first."""
    grown = []
    prefix: tuple[Hop, ...] = ()
    here, previous, visited = start_id, "", {start_id}
    for hop in (*chain, None):
        if len(prefix) == max_hops:
            break
        endings = [
            one
            for one in finder.hops(here, previous)
            if one.target_id not in visited and allowed(one.target_id)
        ]
        grown += [Grown((*prefix, ending), optimal) for ending in endings]
        # The subgraph forgets where a disease was reached from, which "the other gene" needs.
        if hop not in endings or ends_chain(finder, hop):
            break
        prefix = (*prefix, hop)
        here, previous = hop.target_id, here
        visited.add(here)
    return grown
