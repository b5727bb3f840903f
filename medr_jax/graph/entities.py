"""Entities of a graph by position: given as records, or decoded from their lines when asked."""

from collections.abc import Iterator, Sequence

import numpy as np

from medr_jax import jsonl
from medr_jax.types import Entity, Kind

KINDS = tuple(Kind)
_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}


class EntityTable(Sequence[Entity]):
    """Immutable, sorted by id. A large graph opens without decoding what nobody looks at."""

    def __init__(
        self,
        ids: Sequence[str],
        kinds: np.ndarray,
        *,
        records: Sequence[Entity] | None = None,
        lines: np.ndarray | None = None,
        starts: np.ndarray | None = None,
    ) -> None:
        self.ids = tuple(ids)
        self.kinds = kinds  # codes: positions in KINDS
        self._records: list[Entity | None] = list(records or [None] * len(self.ids))
        self._lines, self._starts = lines, starts
        assert all(a < b for a, b in zip(self.ids, self.ids[1:], strict=False)), "unsorted ids"

    @classmethod
    def of(cls, records: Sequence[Entity]) -> "EntityTable":
        """The table of records that are sorted by id."""
        kinds = np.asarray([_KIND_CODE[record.kind] for record in records], dtype=np.uint8)
        return cls([record.id for record in records], kinds, records=records)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> Entity:
        found = self._records[position]
        if found is None:
            line = self._lines[self._starts[position] : self._starts[position + 1]]
            found = jsonl.decode(line.tobytes(), Entity, origin=f"entity {self.ids[position]}")
            self._records[position] = found
        return found

    def __iter__(self) -> Iterator[Entity]:
        return (self[position] for position in range(len(self)))

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """Ids of one kind, sorted."""
        return tuple(self.ids[i] for i in np.flatnonzero(self.kinds == _KIND_CODE[kind]).tolist())
