"""Connected, hub-capped neighbourhoods of a seed entity, as igraph graphs for chain search."""

import dataclasses
from collections.abc import Sequence

import igraph as ig
import numpy as np

from medr_jax.graph.columns import POLARITIES
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


def subgraph(
    graph: KnowledgeGraph,
    seed_entity: str,
    *,
    rng: np.random.Generator,
    limits: SubgraphLimits | None = None,
    relations: Sequence[Relation] = CHAIN_RELATIONS,
) -> ig.Graph:
    """A weakly connected neighbourhood; vertex 0 is the seed.

    Grown breadth first over ``relations`` in both directions, each entity giving a random few
    of its neighbours, hubs (other than the seed) left out. Only pairs that are stated and
    nowhere excluded count. The result is induced: it holds every such pair among its entities,
    once along the edge and once against it. Vertices carry ``name`` (entity id), edges
    ``relation`` and ``inverse``.
    """
    limits = limits or SubgraphLimits()
    walkable = graph.adjacency.degrees(relations) <= limits.max_degree
    chosen = {graph.position(seed_entity): 0}  # position -> vertex
    frontier = list(chosen)
    for _ in range(limits.max_distance):
        fresh: list[int] = []
        for position in frontier:
            room = min(limits.max_branches, limits.max_entities - len(chosen))
            if room <= 0:
                break
            near = _neighbours(graph, position, relations)
            near = [other for other in near[walkable[near]].tolist() if other not in chosen]
            for i in rng.permutation(len(near))[:room].tolist():
                chosen[near[i]] = len(chosen)
                fresh.append(near[i])
        frontier = fresh
    return _induced(graph, chosen, relations)


def _neighbours(graph: KnowledgeGraph, position: int, relations: Sequence[Relation]) -> np.ndarray:
    """Positions at the other end of clean positive pairs, ascending, each once."""
    near, found = graph.adjacency, []
    for relation in relations:
        leaving = near.pairs_from(position, relation)
        entering = near.pairs_to(position, relation)
        found.append(near.targets[leaving][near.polarities[leaving] == _POSITIVE_ONLY])
        found.append(near.sources[entering[near.polarities[entering] == _POSITIVE_ONLY]])
    return np.unique(np.concatenate(found))


def _induced(
    graph: KnowledgeGraph, chosen: dict[int, int], relations: Sequence[Relation]
) -> ig.Graph:
    near = graph.adjacency
    edges, stated, inverse = [], [], []
    for position, vertex in chosen.items():
        for relation in relations:
            pairs = near.pairs_from(position, relation)
            clean = near.targets[pairs][near.polarities[pairs] == _POSITIVE_ONLY]
            for target in clean.tolist():
                if target in chosen:
                    edges += [(vertex, chosen[target]), (chosen[target], vertex)]
                    stated += [relation.value] * 2
                    inverse += [False, True]
    ids = graph.entity_ids()
    return ig.Graph(
        n=len(chosen),
        edges=edges,
        directed=True,
        vertex_attrs={"name": [ids[position] for position in chosen]},
        edge_attrs={"relation": stated, "inverse": inverse},
    )
