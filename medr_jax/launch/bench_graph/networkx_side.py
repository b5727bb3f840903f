"""The same graph and the same search, written for networkx as its users write it."""

from typing import Any

import numpy as np

from medr_jax.graph.columns import POLARITY_CODE, RELATION_CODE, RELATIONS
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.sampling import SubgraphLimits
from medr_jax.types import Polarity, Relation

_POSITIVE, _EXCLUDED = POLARITY_CODE[Polarity.POSITIVE], POLARITY_CODE[Polarity.EXCLUDED]


def to_networkx(graph: KnowledgeGraph) -> Any:
    """A ``MultiDiGraph`` of equal content: entities as attributes of nodes, facts of edges.

    A node is the entity's position, an edge's key its relation and polarity. Attributes that
    are empty are left out, which favours networkx.
    """
    import networkx

    made = networkx.MultiDiGraph(snapshot=graph.snapshot)
    for position, entity_id in enumerate(graph.entity_ids()):
        entity = graph.entity(entity_id)
        made.add_node(position, id=entity_id, kind=entity.kind.value, name=entity.name)
    columns, texts = graph.columns.arrays, graph.columns.texts
    fields = ("source", "target", "relation", "polarity", "licence", "origin", "qualifier")
    for source, target, relation, polarity, licence, origin, qualifier in zip(
        *(columns[name].tolist() for name in fields), strict=True
    ):
        told = {"licence": texts["licence"][licence], "origin": texts["origin"][origin]}
        if texts["qualifier"][qualifier]:
            told["qualifier"] = texts["qualifier"][qualifier]
        made.add_edge(source, target, key=(relation, polarity), **told)
    return made


class NetworkxSearch:
    """Neighbourhoods and longest chains by the rules of ``Sampler`` and ``ChainFinder``."""

    def __init__(self, graph: Any, relations: tuple[Relation, ...], limits: SubgraphLimits) -> None:
        self.graph = graph
        self.limits = limits
        self._wanted = {RELATION_CODE[relation] for relation in relations}
        assert len(RELATIONS) > max(self._wanted)
        self._walkable = {node: self._degree(node) <= limits.max_degree for node in graph.nodes}

    def _degree(self, node: int) -> int:
        pairs = 0
        for near in (self.graph.succ[node], self.graph.pred[node]):
            for keys in near.values():
                pairs += len({relation for relation, _ in keys if relation in self._wanted})
        return pairs

    def _clean(self, keys: dict) -> int:
        """Number of wanted relations that are stated and nowhere excluded."""
        number = 0
        for relation, polarity in keys:
            if polarity == _POSITIVE and relation in self._wanted:
                number += (relation, _EXCLUDED) not in keys
        return number

    def chain(
        self, seed: int, rng: np.random.Generator, *, max_hops: int, max_expansions: int
    ) -> tuple[list[int], bool]:
        """Nodes of the longest chain from the seed, and whether it is proven longest."""
        chosen = self._around(seed, rng)
        steps = self._steps(chosen, rng)
        return self._search(seed, steps, max_hops, max_expansions)

    def _around(self, seed: int, rng: np.random.Generator) -> dict[int, int]:
        chosen = {seed: 0}
        frontier = [seed]
        for _ in range(self.limits.max_distance):
            owner: dict[int, int] = {}
            for number, node in enumerate(frontier):
                for near in (self.graph.succ[node], self.graph.pred[node]):
                    for other, keys in near.items():
                        if (
                            other not in chosen
                            and other not in owner
                            and self._walkable[other]
                            and self._clean(keys)
                        ):
                            owner[other] = number
            candidates = sorted(owner, key=lambda other: (owner[other], other))
            draws = dict(zip(candidates, rng.random(len(candidates)).tolist(), strict=True))
            candidates.sort(key=lambda other: (owner[other], draws[other]))
            taken: dict[int, int] = {}
            fresh = []
            for other in candidates:
                taken[owner[other]] = taken.get(owner[other], 0) + 1
                if taken[owner[other]] <= self.limits.max_branches:
                    fresh.append(other)
            frontier = fresh[: max(self.limits.max_entities - len(chosen), 0)]
            if not frontier:
                break
            for other in frontier:
                chosen[other] = len(chosen)
        return chosen

    def _steps(self, chosen: dict[int, int], rng: np.random.Generator) -> dict[int, list[int]]:
        rank = dict(zip(chosen, rng.permutation(len(chosen)).tolist(), strict=True))
        near: dict[int, set[int]] = {node: set() for node in chosen}
        degree = dict.fromkeys(chosen, 0)
        for node in chosen:
            for other, keys in self.graph.succ[node].items():
                if other in near:
                    number = self._clean(keys)
                    if number:
                        near[node].add(other)
                        near[other].add(node)
                        degree[node] += 2 * number
                        degree[other] += 2 * number
        return {
            node: sorted(others - {node}, key=lambda other: (degree[other], rank[other]))
            for node, others in near.items()
        }

    def _search(
        self, seed: int, steps: dict[int, list[int]], max_hops: int, max_expansions: int
    ) -> tuple[list[int], bool]:
        most = min(max_hops, len(steps) - 1)
        chain, on_chain, best = [seed], {seed}, [seed]
        waiting = [iter(steps[seed])]
        expansions = 1
        while waiting and len(best) - 1 < most:
            other = next(waiting[-1], None)
            if other is None:
                waiting.pop()
                on_chain.discard(chain.pop())
                continue
            if other in on_chain:
                continue
            if expansions == max_expansions:
                return best, False
            expansions += 1
            chain.append(other)
            on_chain.add(other)
            waiting.append(iter(steps[other]))
            if len(chain) > len(best):
                best = list(chain)
        return best, True
