"""Diseases that may be the same thing at different breadth, or of one series."""

import functools

from medr_jax.graph import mondo_table
from medr_jax.graph.families import series_stem
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.names import fold
from medr_jax.types import Kind, Relation


class Kinship:
    """Broader and narrower diseases of a graph, from its links and from MONDO's classes."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._broader: dict[str, frozenset[str]] = {}
        self._stems: dict[str, frozenset[str]] = {}

    def broader(self, disease_id: str) -> frozenset[str]:
        """Diseases of the graph that stand above this one."""
        if disease_id not in self._broader:
            linked = self.graph.sources(disease_id, Relation.BROADER_THAN)
            above = set(linked)
            for one in (disease_id, *linked):
                above |= {
                    mondo_id
                    for mondo_id in mondo_table.shipped().ancestors(one)
                    if mondo_id in self.graph
                }
            self._broader[disease_id] = frozenset(above - {disease_id})
        return self._broader[disease_id]

    @functools.cached_property
    def narrower(self) -> dict[str, tuple[str, ...]]:
        """Diseases below each that has any, sorted."""
        below: dict[str, list[str]] = {}
        for disease_id in self.graph.entity_ids(Kind.DISEASE):
            for one in self.broader(disease_id):
                below.setdefault(one, []).append(disease_id)
        return {one: tuple(found) for one, found in below.items()}

    def are_kin(self, one: str, other: str) -> bool:
        """Whether one is broader than the other, or both are of one linked group or series.

        "X 12" and "X 3" are of one series, and so is "X" itself.
        """
        if one in self.broader(other) or other in self.broader(one):
            return True
        linked = [self.graph.sources(each, Relation.BROADER_THAN) for each in (one, other)]
        if set(linked[0]) & set(linked[1]):
            return True
        stems, names = self._series(one), self._names(one)
        other_stems, other_names = self._series(other), self._names(other)
        return bool(stems & (other_stems | other_names) or names & other_stems)

    def _names(self, disease_id: str) -> frozenset[str]:
        entity = self.graph.entity(disease_id)
        return frozenset(map(fold, (entity.name, *entity.synonyms)))

    def _series(self, disease_id: str) -> frozenset[str]:
        if disease_id not in self._stems:
            stems = map(series_stem, sorted(self._names(disease_id)))
            self._stems[disease_id] = frozenset(filter(None, stems))
        return self._stems[disease_id]
