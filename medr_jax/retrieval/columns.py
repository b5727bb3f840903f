"""One value a document of what is ranked and filtered by beside its words."""

from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.schema import date_number

COLUMNS = "columns.npz"


class Filters(NamedTuple):
    """What a hit must be; "" and 0 narrow nothing. Dates as ``date_number`` gives them."""

    kind: str = ""
    source: str = ""
    since: int = 0
    until: int = 0

    @classmethod
    def of(cls, kind: str = "", source: str = "", since: str = "", until: str = "") -> "Filters":
        """From ISO dates or parts of one: until "2020" includes all of that year.

        Raises:
            ValueError: a date is not YYYY, YYYY-MM or YYYY-MM-DD.
        """
        return cls(kind, source, _date("since", since), _date("until", until, fill="9"))


def _date(name: str, date: str, fill: str = "0") -> int:
    if not date:
        return 0
    number = date_number(date)
    if not number:
        raise ValueError(f"{name}={date!r}: must be a date such as 2020, 2020-05 or 2020-05-17")
    digits = len("".join(date.split("-")))
    return int(str(number)[:digits].ljust(8, fill))


ANY = Filters()
"""All documents."""


class Columns(NamedTuple):
    """By the ordinal of a document; N documents."""

    kind_N: Int[np.ndarray, " N"]  # number of its kind in ``kinds``
    source_N: Int[np.ndarray, " N"]
    date_N: Int[np.ndarray, " N"]
    authority_N: Float[np.ndarray, " N"]
    graded_N: Int[np.ndarray, " N"]  # 1: its source states the evidence
    kinds: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> "Columns":
        """What ``ColumnWriter`` saved."""
        with np.load(path) as saved:
            values = {name: saved[name] for name in saved.files}
        names = {key: tuple(values.pop(key).tolist()) for key in ("kinds", "sources")}
        return cls(**values, **names)

    @property
    def newest(self) -> int:
        """The latest date of any document."""
        return int(self.date_N.max(initial=0))

    def matching(self, filters: Filters) -> Bool[np.ndarray, " N"]:
        """Which documents pass. An undated one passes no date."""
        passes_N = np.ones(self.kind_N.shape, bool)
        for name, names, column_N in (
            (filters.kind, self.kinds, self.kind_N),
            (filters.source, self.sources, self.source_N),
        ):
            if name:
                passes_N &= column_N == (names.index(name) if name in names else -1)
        if filters.since:
            passes_N &= self.date_N >= filters.since
        if filters.until:
            passes_N &= (self.date_N > 0) & (self.date_N <= filters.until)
        return passes_N


class ColumnWriter:
    """Collects the columns while documents go by: 18 bytes a document."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._kind, self._source, self._date = array("h"), array("h"), array("i")
        self._authority, self._graded = array("f"), array("b")

    def add(self, document: Document) -> None:
        """The next document's values."""
        self._kind.append(self._kinds.setdefault(document.kind, len(self._kinds)))
        self._source.append(self._sources.setdefault(document.source, len(self._sources)))
        self._date.append(date_number(document.date))
        self._authority.append(document.authority)
        self._graded.append(1 if document.evidence else 0)

    def save(self, path: Path) -> None:
        """One uncompressed file."""
        np.savez(
            path,
            kind_N=np.asarray(self._kind),
            source_N=np.asarray(self._source),
            date_N=np.asarray(self._date),
            authority_N=np.asarray(self._authority),
            graded_N=np.asarray(self._graded),
            kinds=np.asarray(list(self._kinds), dtype=str),
            sources=np.asarray(list(self._sources), dtype=str),
        )
