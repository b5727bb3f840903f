"""The knowledge graph: entities, stated edges with provenance, and fast look-ups.

A pair may be stated by several edges, and by edges of both polarities. ``POSITIVE`` means that
some edge states the relation (at least one affected individual, no NOT); ``EXCLUDED`` that
some edge states its absence. A pair with both is a conflict: it is in ``targets`` of both
polarities, because one source does state it, and in ``conflicts``. Whoever needs a clean fact
(a clue, a reported absence) leaves conflicts out; whoever must rule others out keeps them in.
"""

import collections
import functools
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import igraph as ig
import numpy as np

from medr_jax import jsonl
from medr_jax.graph import mondo_table, storage
from medr_jax.graph.adjacency import CONFLICT, Adjacency
from medr_jax.graph.columns import POLARITIES, RELATIONS, EdgeBlock, EdgeColumns
from medr_jax.graph.entities import EntityTable
from medr_jax.graph.names import fold
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation


class KnowledgeGraph:
    """Immutable graph; entities are sorted by id and a position is the index in that order."""

    def __init__(
        self,
        entities: EntityTable,
        columns: EdgeColumns,
        *,
        snapshot: str,
        adjacency: Adjacency | None = None,
        content_hash: str = "",
        alternative_ids: Mapping[str, str] | None = None,
        ambiguous_ids: Mapping[str, tuple[str, ...]] | None = None,
        counts: Mapping[str, int] | None = None,
    ):
        self.snapshot = snapshot
        self.alternative_ids = dict(alternative_ids or {})
        self.ambiguous_ids = {key: tuple(ids) for key, ids in (ambiguous_ids or {}).items()}
        self.columns = columns
        self._entities = entities
        self._ids = entities.ids
        self._positions = {entity_id: i for i, entity_id in enumerate(self._ids)}
        self.adjacency = adjacency or Adjacency.build(columns, len(self._ids))
        self._known_hash = content_hash
        self._source_counts = dict(counts or {})
        self._closures: dict[tuple[str, str], frozenset[str]] = {}
        self._igraph_lock = threading.Lock()

    @classmethod
    def from_records(
        cls,
        entities: Sequence[Entity],
        edges: Sequence[Edge],
        *,
        snapshot: str,
        blocks: Sequence[EdgeBlock] = (),
        alternative_ids: Mapping[str, str] | None = None,
        **metadata,
    ) -> "KnowledgeGraph":
        """A graph from records in any order; edge ends may be alternative ids.

        Raises:
            ValueError: an entity id is given twice, or an edge's end is no entity.
        """
        ordered = sorted(entities, key=lambda entity: entity.id)
        positions = {entity.id: i for i, entity in enumerate(ordered)}
        if len(positions) < len(ordered):
            repeated = collections.Counter(entity.id for entity in ordered).most_common(1)[0][0]
            raise ValueError(f"entity {repeated!r} is given twice; give every id once")
        columns = EdgeColumns.from_edges(edges, positions, alternative_ids or {}, blocks)
        table = EntityTable.of(ordered)
        return cls(table, columns, snapshot=snapshot, alternative_ids=alternative_ids, **metadata)

    def __contains__(self, entity_id: object) -> bool:
        return entity_id in self._positions

    def __len__(self) -> int:
        return len(self._ids)

    # -- entities ---------------------------------------------------------------------------

    def entity(self, entity_id: str) -> Entity:
        """The record. Raises ValueError for an id that is not in the graph."""
        return self._entities[self.position(entity_id)]

    def position(self, entity_id: str) -> int:
        """Index of an entity in sorted order. Raises ValueError naming an unknown id."""
        try:
            return self._positions[entity_id]
        except KeyError:
            hint = ""
            if entity_id in self.alternative_ids:
                hint = f"; it stands under {self.alternative_ids[entity_id]!r}"
            raise ValueError(f"no entity {entity_id!r} in {self.snapshot}{hint}") from None

    def resolve(self, any_id: str) -> str:
        """Entity id of an id that may be a merged source id or a replaced term.

        Raises:
            ValueError: neither.
        """
        found = self.alternative_ids.get(any_id, any_id)
        self.position(found)
        return found

    def entity_ids(self, kind: Kind | None = None) -> Sequence[str]:
        """All ids, or those of one kind, sorted."""
        return self._ids if kind is None else self._by_kind[Kind(kind)]

    def same_name(self, entity_id: str) -> tuple[str, ...]:
        """Other entities with this name (case-folded), sorted: the name alone is ambiguous."""
        named = self._by_name[fold(self.entity(entity_id).name)]
        return tuple(other for other in named if other != entity_id)

    @functools.cached_property
    def _by_kind(self) -> dict[Kind, tuple[str, ...]]:
        return {kind: self._entities.of_kind(kind) for kind in Kind}

    @functools.cached_property
    def _by_name(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = collections.defaultdict(list)
        for entity in self._entities:
            groups[fold(entity.name)].append(entity.id)
        return groups

    # -- edges ------------------------------------------------------------------------------

    def targets(
        self, entity_id: str, relation: Relation, polarity: Polarity = Polarity.POSITIVE
    ) -> tuple[str, ...]:
        """Ids that some edge of this polarity leads to, sorted, each once."""
        found = self.adjacency.targets_of(self.position(entity_id), relation, polarity)
        return tuple(self._ids[i] for i in found)

    def sources(
        self, entity_id: str, relation: Relation, polarity: Polarity = Polarity.POSITIVE
    ) -> tuple[str, ...]:
        """Ids that some edge of this polarity comes from, sorted, each once."""
        found = self.adjacency.sources_of(self.position(entity_id), relation, polarity)
        return tuple(self._ids[i] for i in found)

    def conflicts(self, entity_id: str, relation: Relation) -> tuple[str, ...]:
        """Targets that one edge states and another excludes, sorted."""
        found = self.adjacency.conflicts_of(self.position(entity_id), relation)
        return tuple(self._ids[i] for i in found)

    def edges(self, source: str, relation: Relation, target: str) -> tuple[Edge, ...]:
        """Every stated edge of one pair, of both polarities, with provenance."""
        rows = self.adjacency.edge_rows(self.position(source), relation, self.position(target))
        return tuple(self.columns.edge(row, self._ids) for row in rows)

    def edges_of(self, source: str) -> Iterator[Edge]:
        """Every stated edge that leaves an entity, sorted by relation and target."""
        pairs = self.adjacency.pairs_from(self.position(source))
        starts = self.adjacency.edge_starts
        for row in range(int(starts[pairs.start]), int(starts[pairs.stop])):
            yield self.columns.edge(row, self._ids)

    def degree(self, entity_id: str, relation: Relation | None = None) -> int:
        """Number of distinct pairs at an entity, in both directions, excluded ones included."""
        return self.adjacency.degree(self.position(entity_id), relation)

    # -- the ontology's closure -------------------------------------------------------------

    def parents(self, term_id: str) -> tuple[str, ...]:
        """Direct IS_A parents, sorted."""
        return self.targets(term_id, Relation.IS_A)

    def children(self, term_id: str) -> tuple[str, ...]:
        """Direct IS_A children, sorted."""
        return self.sources(term_id, Relation.IS_A)

    def ancestors(self, term_id: str) -> frozenset[str]:
        """All terms above, without itself; cached."""
        return self._closure("parents", term_id)

    def descendants(self, term_id: str) -> frozenset[str]:
        """All terms below, without itself; cached."""
        return self._closure("children", term_id)

    def sources_under(self, term_id: str, relation: Relation) -> frozenset[str]:
        """Sources of a positive edge to the term or to any term below it; cached.

        This is what "has this phenotype" means under the ontology: a descendant satisfies it.
        """
        key = (f"sources_under {relation}", term_id)
        if key not in self._closures:
            found: set[int] = set()
            for below in (term_id, *self.descendants(term_id)):
                near = self.adjacency.sources_of(
                    self._positions[below], relation, Polarity.POSITIVE
                )
                found.update(near.tolist())
            self._closures[key] = frozenset(self._ids[i] for i in found)
        return self._closures[key]

    def _closure(self, direction: str, term_id: str) -> frozenset[str]:
        cached = self._closures.get((direction, term_id))
        if cached is None:
            step = self.parents if direction == "parents" else self.children
            found: set[str] = set()
            waiting = list(step(term_id))
            while waiting:
                near = waiting.pop()
                if near in found:
                    continue
                found.add(near)
                known = self._closures.get((direction, near))
                if known is None:
                    waiting.extend(step(near))
                else:
                    found |= known
            cached = self._closures[(direction, term_id)] = frozenset(found)
        return cached

    # -- the whole --------------------------------------------------------------------------

    @property
    def igraph(self) -> ig.Graph:
        """Directed igraph graph: one edge per pair, ``relation`` and ``polarity`` as attributes.

        Vertex i is the entity at position i, its ``name`` the id. ``polarity`` is "conflict"
        where edges of both state the pair. Built on first use.
        """
        with self._igraph_lock:
            return self._igraph

    @functools.cached_property
    def _igraph(self) -> ig.Graph:
        near = self.adjacency
        stated = {CONFLICT: "conflict"}
        stated.update({1 << code: polarity.value for code, polarity in enumerate(POLARITIES)})
        return ig.Graph(
            n=len(self._ids),
            edges=np.column_stack([near.sources, near.targets]),
            directed=True,
            vertex_attrs={
                "name": list(self._ids),
                "kind": [entity.kind.value for entity in self._entities],
            },
            edge_attrs={
                "relation": [RELATIONS[code].value for code in near.relations],
                "polarity": [stated[bits] for bits in near.polarities.tolist()],
            },
        )

    @property
    def licences(self) -> tuple[str, ...]:
        """Licences of all edges, and MONDO's where its labels are used; sorted."""
        found = {part for text in self.columns.texts["licence"] for part in text.split("; ")}
        if any(entity_id.startswith("MONDO:") for entity_id in self.entity_ids(Kind.DISEASE)):
            found.add(mondo_table.LICENCE)
        return tuple(sorted(found - {""}))

    @functools.cached_property
    def relations(self) -> tuple[Relation, ...]:
        """Those that some edge states, in the order of ``Relation``."""
        return tuple(RELATIONS[code] for code in np.unique(self.columns.arrays["relation"]))

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """Entities by kind, edges and pairs by relation, exclusions, merges, ambiguities."""
        return {**storage.graph_counts(self), **self._source_counts}

    @functools.cached_property
    def content_hash(self) -> str:
        """sha256 over entities, edges and identifiers: equal content, equal hash."""
        if self._known_hash:
            return self._known_hash
        sha = hashlib.sha256(jsonl.content_hash(self._entities).encode())
        sha.update(self.columns.digest().encode())
        sha.update(jsonl.encode([self.snapshot, self.alternative_ids, self.ambiguous_ids]))
        return sha.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the folder ``path``: entities, edges and graph.json, which describes them."""
        storage.save(self, self._entities, self._source_counts, Path(path))

    @classmethod
    def load(cls, path: Path) -> "KnowledgeGraph":
        """Reads what ``save`` wrote. Raises ValueError when it is missing or damaged."""
        return storage.load(cls, Path(path))
