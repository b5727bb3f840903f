"""Edges as columns of numbers, with each distinct text stored once."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medr_jax import jsonl
from medr_jax.types import Edge, Polarity, Relation

RELATIONS = tuple(Relation)
POLARITIES = tuple(Polarity)
_NUMBERS = ("source", "relation", "target", "polarity", "num_affected", "num_observed")
_TEXTS = ("frequency", "evidence", "references", "onset", "sex", "modifier", "origin", "licence")
_NONE = -1  # how a missing count is stored
_RELATION_CODE = {relation: code for code, relation in enumerate(RELATIONS)}
_POLARITY_CODE = {polarity: code for code, polarity in enumerate(POLARITIES)}


@dataclasses.dataclass(kw_only=True, slots=True)
class EdgeColumns:
    """Stated edges sorted by (source, relation, target, polarity, ...), without duplicates.

    ``arrays`` holds one int32 column per field, ``texts`` the sorted distinct values that the
    text columns point into. Two equal sets of edges give equal columns.
    """

    arrays: dict[str, np.ndarray]
    texts: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.arrays["source"])

    @classmethod
    def from_edges(
        cls,
        edges: Sequence[Edge],
        positions: Mapping[str, int],
        alternative_ids: Mapping[str, str],
    ) -> "EdgeColumns":
        """Columns of ``edges``, whose ends are looked up in ``positions`` after renaming.

        Raises:
            ValueError: an edge's end is no entity.
        """

        def position(entity_id: str) -> int:
            found = positions.get(alternative_ids.get(entity_id, entity_id))
            if found is None:
                raise ValueError(f"an edge names {entity_id!r}, which is no entity of the graph")
            return found

        arrays = {
            "source": _int32([position(edge.source) for edge in edges]),
            "relation": _int32([_RELATION_CODE[edge.relation] for edge in edges]),
            "target": _int32([position(edge.target) for edge in edges]),
            "polarity": _int32([_POLARITY_CODE[edge.polarity] for edge in edges]),
            "num_affected": _int32([_count(edge.num_affected) for edge in edges]),
            "num_observed": _int32([_count(edge.num_observed) for edge in edges]),
        }
        texts = {}
        for name in _TEXTS:
            values = [getattr(edge, name) for edge in edges]
            texts[name] = sorted(set(values))
            codes = {value: code for code, value in enumerate(texts[name])}
            arrays[name] = _int32([codes[value] for value in values])
        return cls(arrays=_sorted_unique(arrays), texts=texts)

    def edge(self, row: int, ids: Sequence[str]) -> Edge:
        """The record of one row; ``ids`` maps positions back to entity ids."""
        numbers = {name: int(self.arrays[name][row]) for name in _NUMBERS}
        words = {name: self.texts[name][self.arrays[name][row]] for name in _TEXTS}
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
        """sha256 over columns and texts."""
        sha = hashlib.sha256()
        for name in (*_NUMBERS, *_TEXTS):
            sha.update(self.arrays[name].astype("<i4").tobytes())
        sha.update(jsonl.encode(self.texts))
        return sha.hexdigest()


def _int32(values: list[int]) -> np.ndarray:
    return np.asarray(values, dtype=np.int32)


def _count(number: int | None) -> int:
    return _NONE if number is None else number


def _sorted_unique(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All columns in lexicographic order of the rows, exact duplicates once."""
    columns = [arrays[name] for name in (*_NUMBERS, *_TEXTS)]
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    if len(order):
        fresh = np.zeros(len(order), dtype=bool)
        fresh[0] = True
        for column in columns:
            fresh[1:] |= column[1:] != column[:-1]
        columns = [column[fresh] for column in columns]
    return dict(zip((*_NUMBERS, *_TEXTS), columns, strict=True))
