"""Edges as columns of numbers, with each distinct text stored once."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Integer

from medr_jax import jsonl
from medr_jax.types import Edge, Polarity, Relation

RELATIONS = tuple(Relation)
POLARITIES = tuple(Polarity)
RELATION_CODE = {relation: code for code, relation in enumerate(RELATIONS)}
POLARITY_CODE = {polarity: code for code, polarity in enumerate(POLARITIES)}
_NUMBERS = ("source", "relation", "target", "polarity", "num_affected", "num_observed")
_CORE_TEXTS = (
    *("frequency", "evidence", "references", "onset", "sex", "modifier", "origin", "licence"),
)
_LATER_TEXTS = ("qualifier", "date")
"""Texts that few sources give. A graph without them has the identity it had before they were."""
TEXTS = (*_CORE_TEXTS, *_LATER_TEXTS)
NAMES = (*_NUMBERS, *TEXTS)
_NONE = -1  # how a missing count is stored


@dataclasses.dataclass(kw_only=True, slots=True)
class EdgeBlock:
    """Millions of edges as arrays: N edges whose ends are positions in ``ids``.

    ``texts`` holds per text field the distinct values and each edge's code; a field that is
    not there is empty. Counts are missing throughout.
    """

    ids: list[str]
    sources: Int[np.ndarray, "N"]
    relations: Int[np.ndarray, "N"]  # codes: positions in RELATIONS
    targets: Int[np.ndarray, "N"]
    polarities: Int[np.ndarray, "N"]  # codes: positions in POLARITIES
    texts: dict[str, tuple[list[Any], Int[np.ndarray, "N"]]]

    def __len__(self) -> int:
        return len(self.sources)


@dataclasses.dataclass(kw_only=True, slots=True)
class EdgeColumns:
    """Stated edges sorted by (source, relation, target, polarity, ...), without duplicates.

    ``arrays`` holds one integer column per field, as narrow as its values allow (a column of
    one value takes no room), ``texts`` the sorted distinct values that the text columns point
    into. Two equal sets of edges give equal columns.
    """

    arrays: dict[str, Integer[np.ndarray, "N"]]
    texts: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.arrays["source"])

    @classmethod
    def from_edges(
        cls,
        edges: Sequence[Edge],
        positions: Mapping[str, int],
        alternative_ids: Mapping[str, str],
        blocks: Sequence[EdgeBlock] = (),
    ) -> "EdgeColumns":
        """Columns of edges and blocks, whose ends are looked up in ``positions`` after renaming.

        Raises:
            ValueError: an edge's end is no entity.
        """

        def position(entity_id: str) -> int:
            found = positions.get(alternative_ids.get(entity_id, entity_id))
            if found is None:
                raise ValueError(f"an edge names {entity_id!r}, which is no entity of the graph")
            return found

        parts = {
            "source": [_int32([position(edge.source) for edge in edges])],
            "relation": [_int32([RELATION_CODE[edge.relation] for edge in edges])],
            "target": [_int32([position(edge.target) for edge in edges])],
            "polarity": [_int32([POLARITY_CODE[edge.polarity] for edge in edges])],
            "num_affected": [_int32([_count(edge.num_affected) for edge in edges])],
            "num_observed": [_int32([_count(edge.num_observed) for edge in edges])],
        }
        for block in blocks:
            used = np.unique(np.concatenate([block.sources, block.targets]))
            renamed = np.full(len(block.ids), _NONE, dtype=np.int32)
            renamed[used] = [position(block.ids[i]) for i in used.tolist()]
            parts["source"].append(renamed[block.sources])
            parts["relation"].append(block.relations)
            parts["target"].append(renamed[block.targets])
            parts["polarity"].append(block.polarities)
            missing = np.broadcast_to(np.int32(_NONE), len(block))
            parts["num_affected"].append(missing)
            parts["num_observed"].append(missing)
        arrays = {name: np.concatenate(found) for name, found in parts.items()}
        texts = {}
        for name in TEXTS:
            texts[name], arrays[name] = _text_column(name, edges, blocks)
        return cls(arrays=_narrow(_sorted_unique(arrays)), texts=texts)

    def edge(self, row: int, ids: Sequence[str]) -> Edge:
        """The record of one row; ``ids`` maps positions back to entity ids."""
        numbers = {name: int(self.arrays[name][row]) for name in _NUMBERS}
        words = {name: self.texts[name][self.arrays[name][row]] for name in TEXTS}
        words["references"] = tuple(words["references"])
        return Edge(
            source=ids[numbers["source"]],
            relation=RELATIONS[numbers["relation"]],
            target=ids[numbers["target"]],
            polarity=POLARITIES[numbers["polarity"]],
            num_affected=None if numbers["num_affected"] == _NONE else numbers["num_affected"],
            num_observed=None if numbers["num_observed"] == _NONE else numbers["num_observed"],
            **words,
        )

    def digest(self) -> str:
        """sha256 over columns and texts, the latter's order and the columns' width apart."""
        told = [*_CORE_TEXTS, *(name for name in _LATER_TEXTS if any(self.texts[name]))]
        sha = hashlib.sha256()
        for name in (*_NUMBERS, *told):
            sha.update(self.arrays[name].astype("<i4").tobytes())
        sha.update(jsonl.encode({name: self.texts[name] for name in told}))
        return sha.hexdigest()


def _text_column(
    name: str, edges: Sequence[Edge], blocks: Sequence[EdgeBlock]
) -> tuple[list[Any], np.ndarray]:
    """Sorted distinct values of one text field, and every edge's code."""
    empty = () if name == "references" else ""
    stated = [getattr(edge, name) for edge in edges]
    told = [block.texts.get(name) for block in blocks]
    distinct = set(stated)
    for block, one in zip(blocks, told, strict=True):
        distinct.update(one[0] if one else [empty] * bool(len(block)))
    values = sorted(distinct)
    codes = {value: code for code, value in enumerate(values)}
    parts = [_int32([codes[value] for value in stated])]
    for block, one in zip(blocks, told, strict=True):
        if one:
            parts.append(_int32([codes[value] for value in one[0]])[one[1]])
        else:
            parts.append(np.full(len(block), codes.get(empty, 0), dtype=np.int32))
    return values, np.concatenate(parts)


def _int32(values: list[int]) -> np.ndarray:
    return np.asarray(values, dtype=np.int32)


def _count(number: int | None) -> int:
    return _NONE if number is None else number


def _sorted_unique(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All columns in lexicographic order of the rows, exact duplicates once."""
    varying = [name for name in NAMES if len(arrays[name]) and np.ptp(arrays[name])]
    length = len(arrays["source"])
    keys = [arrays[name] for name in varying]
    order = np.lexsort(keys[::-1]) if keys else np.arange(min(length, 1))
    fresh = np.ones(len(order), dtype=bool)
    if keys:
        fresh[1:] = False
        for key in keys:
            ordered = key[order]
            fresh[1:] |= ordered[1:] != ordered[:-1]
    kept = order[fresh]
    return {name: arrays[name][kept] for name in NAMES}


def _narrow(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each column in the narrowest type that holds it; one value is stored once."""
    return {name: narrowed(column) for name, column in arrays.items()}


def narrowed(column: np.ndarray) -> np.ndarray:
    """The same numbers in the narrowest integer type; a constant is a view of one number."""
    if not len(column):
        return column.astype(np.int8)
    low, high = int(column.min()), int(column.max())
    kind = np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high))
    if low == high:
        return np.broadcast_to(kind.type(low), len(column))
    return column.astype(kind)
