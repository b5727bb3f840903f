"""Who is linked to whom, by what: sorted pairs with row pointers in both directions."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer, UInt8

from medr_jax.graph.columns import POLARITIES, RELATION_CODE, EdgeColumns, narrowed
from medr_jax.types import Polarity, Relation

_POLARITY_BIT = {polarity: 1 << code for code, polarity in enumerate(POLARITIES)}
CONFLICT = sum(_POLARITY_BIT.values())


@dataclasses.dataclass(kw_only=True, slots=True)
class Adjacency:
    """One entry per distinct (source, relation, target), however many edges state it.

    P pairs, R relations that occur (``present``, their codes ascending), K = entities * R + 1
    row pointers. ``polarities`` has one bit per polarity stated. ``edge_starts[i]:edge_starts[
    i + 1]`` are the pair's rows in ``EdgeColumns``. ``forward[s * R + r]`` and
    ``backward[t * R + r]`` point at the first pair of an entity and the r-th relation that
    occurs, so a look-up costs no more than its answer.
    """

    present: Integer[np.ndarray, "R"]
    sources: Integer[np.ndarray, "P"]
    relations: Integer[np.ndarray, "P"]
    targets: Integer[np.ndarray, "P"]
    polarities: UInt8[np.ndarray, "P"]
    edge_starts: Integer[np.ndarray, "P+1"]
    forward: Integer[np.ndarray, "K"]
    backward: Integer[np.ndarray, "K"]
    backward_order: Integer[np.ndarray, "P"]  # pair numbers by (target, relation, source)
    _slots: dict[Relation, int] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        slots = {code: slot for slot, code in enumerate(self.present.tolist())}
        self._slots = {
            relation: slots[code] for relation, code in RELATION_CODE.items() if code in slots
        }

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
        if len(starts) == len(source):  # every pair is stated once: the columns themselves
            sources, relations, targets = source, relation, target
        else:
            sources, relations, targets = source[starts], relation[starts], target[starts]
        order = np.lexsort((sources, relations, targets))
        present = np.unique(relations) if len(relations) else np.zeros(1, dtype=np.int8)
        return cls(
            present=present,
            sources=sources,
            relations=relations,
            targets=targets,
            polarities=merged,
            edge_starts=narrowed(np.append(starts, len(source))),
            forward=_pointers(sources, relations, present, num_entities),
            backward=_pointers(targets[order], relations[order], present, num_entities),
            backward_order=narrowed(order),
        )

    def pairs_from(self, source: int, relation: Relation | None = None) -> slice:
        """Pair numbers that leave an entity, sorted by relation and target."""
        return self._slice(self.forward, source, relation)

    def pairs_to(self, target: int, relation: Relation | None = None) -> Integer[np.ndarray, "N"]:
        """Pair numbers that enter an entity, sorted by relation and source."""
        return self.backward_order[self._slice(self.backward, target, relation)]

    def degree(self, entity: int, relation: Relation | None = None) -> int:
        """Number of pairs at an entity, in both directions, whatever their polarity."""
        leaving = self._slice(self.forward, entity, relation)
        entering = self._slice(self.backward, entity, relation)
        return leaving.stop - leaving.start + entering.stop - entering.start

    def degrees(self, relations: Sequence[Relation]) -> Integer[np.ndarray, "E"]:
        """``degree`` of every entity over several relations, by position."""
        num_relations = len(self.present)
        total = np.zeros((len(self.forward) - 1) // num_relations, dtype=np.int64)
        for slot in (self._slots[relation] for relation in relations if relation in self._slots):
            for pointers in (self.forward, self.backward):
                ends = pointers[slot + 1 :: num_relations]
                total += ends.astype(np.int64) - pointers[slot:-1:num_relations]
        return total

    def targets_of(
        self, source: int, relation: Relation, polarity: Polarity
    ) -> Integer[np.ndarray, "N"]:
        """Positions of targets that some edge of this polarity states, ascending."""
        pairs = self.pairs_from(source, relation)
        stated = self.polarities[pairs] & _POLARITY_BIT[polarity] != 0
        return self.targets[pairs][stated]

    def sources_of(
        self, target: int, relation: Relation, polarity: Polarity
    ) -> Integer[np.ndarray, "N"]:
        """Positions of sources that some edge of this polarity states, ascending."""
        pairs = self.pairs_to(target, relation)
        stated = self.polarities[pairs] & _POLARITY_BIT[polarity] != 0
        return self.sources[pairs[stated]]

    def conflicts_of(self, source: int, relation: Relation) -> Integer[np.ndarray, "N"]:
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

    def linked(self, source: int, target: int) -> bool:
        """Whether some edge states a relation of any type from ``source`` to ``target``."""
        pairs = self.pairs_from(source)
        stated = self.polarities[pairs] & _POLARITY_BIT[Polarity.POSITIVE] != 0
        return bool((self.targets[pairs][stated] == target).any())

    def _slice(self, pointers: np.ndarray, entity: int, relation: Relation | None) -> slice:
        base = entity * len(self.present)
        if relation is None:
            return slice(int(pointers[base]), int(pointers[base + len(self.present)]))
        slot = self._slots.get(relation)
        if slot is None:
            return slice(0, 0)
        return slice(int(pointers[base + slot]), int(pointers[base + slot + 1]))


def _pointers(
    entities: Integer[np.ndarray, "P"],
    relations: Integer[np.ndarray, "P"],
    present: Integer[np.ndarray, "R"],
    num_entities: int,
) -> Integer[np.ndarray, "K"]:
    keys = entities.astype(np.int64) * len(present) + np.searchsorted(present, relations)
    return narrowed(np.searchsorted(keys, np.arange(num_entities * len(present) + 1)))
