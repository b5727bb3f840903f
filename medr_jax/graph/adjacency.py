"""Who is linked to whom, by what: sorted pairs with row pointers in both directions."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from medr_jax.graph.columns import POLARITIES, RELATIONS, EdgeColumns
from medr_jax.types import Polarity, Relation

_RELATION_CODE = {relation: code for code, relation in enumerate(RELATIONS)}
_POLARITY_BIT = {polarity: 1 << code for code, polarity in enumerate(POLARITIES)}
CONFLICT = sum(_POLARITY_BIT.values())


@dataclasses.dataclass(kw_only=True, slots=True)
class Adjacency:
    """One entry per distinct (source, relation, target), however many edges state it.

    P pairs, R relations, K = entities * R + 1 row pointers. ``polarities`` has one bit per
    polarity stated. ``edge_starts[i]:edge_starts[i + 1]`` are the pair's rows in
    ``EdgeColumns``. ``forward[s * R + r]`` and ``backward[t * R + r]`` point at the first pair
    of an entity and relation, so a look-up costs no more than its answer.
    """

    sources: Int[np.ndarray, "P"]
    relations: Int[np.ndarray, "P"]
    targets: Int[np.ndarray, "P"]
    polarities: UInt8[np.ndarray, "P"]
    edge_starts: Int[np.ndarray, "P+1"]
    forward: Int[np.ndarray, "K"]
    backward: Int[np.ndarray, "K"]
    backward_order: Int[np.ndarray, "P"]  # pair numbers sorted by (target, relation, source)

    @classmethod
    def build(cls, columns: EdgeColumns, num_entities: int) -> "Adjacency":
        """Collapses sorted edges into pairs."""
        source, relation, target, polarity = (
            columns.arrays[name] for name in ("source", "relation", "target", "polarity")
        )
        first = np.ones(len(source), dtype=bool)
        first[1:] = (
            (source[1:] != source[:-1])
            | (relation[1:] != relation[:-1])
            | (target[1:] != target[:-1])
        )
        starts = np.flatnonzero(first)
        bits = np.left_shift(1, polarity).astype(np.uint8)
        merged = np.bitwise_or.reduceat(bits, starts) if len(starts) else bits
        sources, relations, targets = source[starts], relation[starts], target[starts]
        order = np.lexsort((sources, relations, targets))
        return cls(
            sources=sources,
            relations=relations,
            targets=targets,
            polarities=merged,
            edge_starts=np.append(starts, len(source)),
            forward=_pointers(sources, relations, num_entities),
            backward=_pointers(targets[order], relations[order], num_entities),
            backward_order=order,
        )

    def pairs_from(self, source: int, relation: Relation | None = None) -> slice:
        """Pair numbers that leave an entity, sorted by relation and target."""
        return _slice(self.forward, source, relation)

    def pairs_to(self, target: int, relation: Relation | None = None) -> Int[np.ndarray, "N"]:
        """Pair numbers that enter an entity, sorted by relation and source."""
        return self.backward_order[_slice(self.backward, target, relation)]

    def degree(self, entity: int, relation: Relation | None = None) -> int:
        """Number of pairs at an entity, in both directions, whatever their polarity."""
        leaving = _slice(self.forward, entity, relation)
        entering = _slice(self.backward, entity, relation)
        return leaving.stop - leaving.start + entering.stop - entering.start

    def degrees(self, relations: Sequence[Relation]) -> Int[np.ndarray, "E"]:
        """``degree`` of every entity over several relations, by position."""
        total = np.zeros(len(self.forward) // len(RELATIONS), dtype=np.int64)
        for relation in relations:
            first = _RELATION_CODE[relation]
            for pointers in (self.forward, self.backward):
                ends = pointers[first + 1 :: len(RELATIONS)]
                total += ends - pointers[first : -1 : len(RELATIONS)]
        return total

    def targets_of(
        self, source: int, relation: Relation, polarity: Polarity
    ) -> Int[np.ndarray, "N"]:
        """Positions of targets that some edge of this polarity states, ascending."""
        pairs = self.pairs_from(source, relation)
        stated = self.polarities[pairs] & _POLARITY_BIT[polarity] != 0
        return self.targets[pairs][stated]

    def sources_of(
        self, target: int, relation: Relation, polarity: Polarity
    ) -> Int[np.ndarray, "N"]:
        """Positions of sources that some edge of this polarity states, ascending."""
        pairs = self.pairs_to(target, relation)
        stated = self.polarities[pairs] & _POLARITY_BIT[polarity] != 0
        return self.sources[pairs[stated]]

    def conflicts_of(self, source: int, relation: Relation) -> Int[np.ndarray, "N"]:
        """Positions of targets that edges of both polarities state, ascending."""
        pairs = self.pairs_from(source, relation)
        return self.targets[pairs][self.polarities[pairs] == CONFLICT]

    def edge_rows(self, source: int, relation: Relation, target: int) -> range:
        """Rows of ``EdgeColumns`` that state this pair."""
        pairs = self.pairs_from(source, relation)
        pair = pairs.start + int(np.searchsorted(self.targets[pairs], target))
        if pair >= pairs.stop or self.targets[pair] != target:
            return range(0)
        return range(int(self.edge_starts[pair]), int(self.edge_starts[pair + 1]))


def _pointers(
    entities: Int[np.ndarray, "P"], relations: Int[np.ndarray, "P"], num_entities: int
) -> Int[np.ndarray, "K"]:
    keys = entities.astype(np.int64) * len(RELATIONS) + relations
    return np.searchsorted(keys, np.arange(num_entities * len(RELATIONS) + 1))


def _slice(pointers: np.ndarray, entity: int, relation: Relation | None) -> slice:
    base = entity * len(RELATIONS)
    low, high = (base, base + len(RELATIONS)) if relation is None else (
        base + _RELATION_CODE[relation], base + _RELATION_CODE[relation] + 1
    )  # fmt: skip
    return slice(int(pointers[low]), int(pointers[high]))
