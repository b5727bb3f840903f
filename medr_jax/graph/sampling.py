"""Connected, hub-capped neighbourhoods of a seed entity, in which chains are searched."""

import dataclasses
from collections.abc import Sequence

import igraph as ig
import numpy as np
from jaxtyping import Bool, Int

from medr_jax.graph.columns import POLARITIES, RELATION_CODE, RELATIONS
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Polarity, Relation

CHAIN_RELATIONS = (Relation.HAS_PHENOTYPE, Relation.ASSOCIATED_GENE)
"""Relations whose ends are open-class: chains walk them in both directions."""

_POSITIVE_ONLY = 1 << POLARITIES.index(Polarity.POSITIVE)


@dataclasses.dataclass(kw_only=True, slots=True)
class SubgraphLimits:
    """How far and how wide a neighbourhood grows."""

    max_entities: int = 100
    max_degree: int = 60  # an entity with more pairs of the walked relations is a hub: left out
    max_branches: int = 8  # fresh neighbours taken from each entity
    max_distance: int = 5  # hops from the seed

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name}={getattr(self, field.name)} must be at least 1")


@dataclasses.dataclass(kw_only=True, slots=True)
class Neighbourhood:
    """V entities around a seed, which is vertex 0, and the A arcs among them.

    Every pair is an arc along its edge and one against it (``inverses``). Arcs are sorted by
    source, then target; between two entities the first relation comes first.
    """

    positions: Int[np.ndarray, "V"]  # in the knowledge graph, by vertex
    sources: Int[np.ndarray, "A"]  # vertices
    targets: Int[np.ndarray, "A"]
    relations: Int[np.ndarray, "A"]  # codes
    inverses: Bool[np.ndarray, "A"]

    def igraph(self, graph: KnowledgeGraph) -> ig.Graph:
        """With ``name`` (entity id) on vertices, ``relation`` and ``inverse`` on edges."""
        ids = graph.entity_ids()
        return ig.Graph(
            n=len(self.positions),
            edges=np.column_stack([self.sources, self.targets]),
            directed=True,
            vertex_attrs={"name": [ids[position] for position in self.positions.tolist()]},
            edge_attrs={
                "relation": [RELATIONS[code].value for code in self.relations.tolist()],
                "inverse": self.inverses.tolist(),
            },
        )


class Sampler:
    """Neighbourhoods of one graph over fixed relations."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        limits: SubgraphLimits | None = None,
        relations: Sequence[Relation] = CHAIN_RELATIONS,
    ) -> None:
        self.graph = graph
        self.limits = limits or SubgraphLimits()
        self._near = graph.adjacency
        self._forward = self._near.forward[:: len(self._near.present)]
        self._backward = self._near.backward[:: len(self._near.present)]
        self._wanted = np.zeros(len(RELATIONS), dtype=bool)
        self._wanted[[RELATION_CODE[relation] for relation in relations]] = True
        self._walkable = self._near.degrees(relations) <= self.limits.max_degree
        # Scratch of the neighbourhood being made; one sampler serves one thread.
        self._vertex = np.full(len(graph), -1, dtype=np.int64)
        self._owner = np.zeros(len(graph), dtype=np.int32)

    def around(self, seed_entity: str, rng: np.random.Generator) -> Neighbourhood:
        """A weakly connected neighbourhood.

        Grown breadth first in both directions, each entity giving a random few of its fresh
        neighbours (those with the lowest of one random number each), hubs other than the seed
        left out. Only pairs that are stated and nowhere excluded count. The result is induced:
        it holds every such pair among its entities.
        """
        chosen = np.array([self.graph.position(seed_entity)])
        self._vertex[chosen] = 0
        try:
            frontier = chosen
            for _ in range(self.limits.max_distance):
                frontier = self._fresh(frontier, self.limits.max_entities - len(chosen), rng)
                if not len(frontier):
                    break
                self._vertex[frontier] = np.arange(len(chosen), len(chosen) + len(frontier))
                chosen = np.concatenate([chosen, frontier])
            return self._induced(chosen)
        finally:
            self._vertex[chosen] = -1

    def _fresh(
        self, frontier: Int[np.ndarray, "F"], room: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "N"]:
        """New entities next to the frontier, in the frontier's order, at most ``room``."""
        owners, _, near = self._incident(frontier, both=True)
        fresh = self._walkable[near] & (self._vertex[near] < 0)
        owners, near = owners[fresh], near[fresh]
        # Each fresh entity once, at its first owner: of several writes the last one stays.
        late_first = np.argsort(-owners, kind="stable")
        self._owner[near[late_first]] = owners[late_first]
        near = np.unique(near)
        owners = self._owner[near]
        order = np.argsort(owners, kind="stable")  # candidates by owner, then by position
        near, owners = near[order], owners[order]
        order = np.argsort(owners + rng.random(len(near)))
        near, owners = near[order], owners[order]
        rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
        return near[rank < self.limits.max_branches][: max(room, 0)]

    def _incident(
        self, entities: Int[np.ndarray, "F"], *, both: bool
    ) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
        """(index of the entity, pair, other end) of clean pairs of the wanted relations."""
        owners, pairs = _ranges(self._forward[entities], self._forward[entities + 1])
        others = self._near.targets[pairs]
        if both:
            into, places = _ranges(self._backward[entities], self._backward[entities + 1])
            entering = self._near.backward_order[places]
            others = np.concatenate([others, self._near.sources[entering]])
            owners, pairs = np.concatenate([owners, into]), np.concatenate([pairs, entering])
        clean = self._wanted[self._near.relations[pairs]]
        clean &= self._near.polarities[pairs] == _POSITIVE_ONLY
        return owners[clean], pairs[clean].astype(np.int64), others[clean].astype(np.int64)

    def _induced(self, chosen: Int[np.ndarray, "V"]) -> Neighbourhood:
        sources, pairs, other = self._incident(chosen, both=False)
        targets = self._vertex[other]
        inside = targets >= 0
        sources, targets = sources[inside], targets[inside]
        relations = self._near.relations[pairs[inside]].astype(np.int64)
        sources, targets = (
            np.concatenate([sources, targets]),
            np.concatenate([targets, sources]),
        )
        relations = np.concatenate([relations, relations])
        inverses = np.arange(len(sources)) >= len(sources) // 2
        by_pair = sources * len(chosen) + targets
        order = np.argsort((by_pair * len(RELATIONS) + relations) * 2 + inverses, kind="stable")
        return Neighbourhood(
            positions=chosen,
            sources=sources[order],
            targets=targets[order],
            relations=relations[order],
            inverses=inverses[order],
        )


def _ranges(
    starts: np.ndarray, stops: np.ndarray
) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """All numbers of several ranges in a row, and which range each is of."""
    starts = starts.astype(np.int64)
    lengths = stops.astype(np.int64) - starts
    owners = np.repeat(np.arange(len(starts)), lengths)
    shift = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return owners, np.arange(len(owners)) + shift[owners]


def subgraph(
    graph: KnowledgeGraph,
    seed_entity: str,
    *,
    rng: np.random.Generator,
    limits: SubgraphLimits | None = None,
    relations: Sequence[Relation] = CHAIN_RELATIONS,
) -> ig.Graph:
    """One neighbourhood as an igraph graph; for many seeds keep a ``Sampler``."""
    return Sampler(graph, limits, relations).around(seed_entity, rng).igraph(graph)
