"""Chains of functional hops around a seed entity."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import igraph as ig
import numpy as np

from medr_jax.graph.chains import longest_chain
from medr_jax.questions.hops import FORMS, Form, HopFinder
from medr_jax.types import OPEN_KINDS, Hop


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


def grow(
    finder: HopFinder,
    seed_id: str,
    *,
    max_hops: int,
    max_expansions: int,
    rng: random.Random,
    allowed: Callable[[str], bool],
) -> list[Grown]:
    """The longest chain from a seed, its prefixes, and their other endings.

    ``allowed`` says which entities may stand in the chain. Shorter chains come first; two
    chains never have the same hops.
    """
    around = _Subgraph(finder, seed_id, max_hops, allowed)
    found = longest_chain(
        around.graph,
        0,
        max_hops=max_hops,
        max_expansions=max_expansions,
        rng=np.random.default_rng(rng.getrandbits(64)),
    )
    steps = zip(found.vertices, found.vertices[1:], strict=False)
    chain = [around.hop_of[pair] for pair in steps]
    grown = []
    prefix: tuple[Hop, ...] = ()
    here, previous, visited = seed_id, "", {seed_id}
    for hop in (*chain, None):
        if len(prefix) == max_hops:
            break
        endings = [
            one
            for one in finder.hops(here, previous)
            if one.target_id not in visited and allowed(one.target_id)
        ]
        grown += [Grown((*prefix, ending), found.optimal) for ending in endings]
        # The subgraph forgets where a disease was reached from, which "the other gene" needs.
        if hop not in endings or ends_chain(finder, hop):
            break
        prefix = (*prefix, hop)
        here, previous = hop.target_id, here
        visited.add(here)
    return grown
