"""An index that is replaced while it is read: a pointer that changes in one step.

A new index is built in a folder of its own; ``publish`` then renames a one-line pointer file into
place. Readers look at the pointer before each use and open the new index; those in the middle of
a search finish with the old one. A build that fails or is killed never reaches the pointer.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from medr_jax import jsonl
from medr_jax.retrieval import index as layout
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.search import SearchEngine
from medr_jax.retrieval.sources.base import Item, Removal
from medr_jax.types import Record

POINTER = "current.json"


class Published(Record):
    """Which index is to be used."""

    path: str  # of the index folder, absolute
    content_hash: str


def publish(root: str | os.PathLike[str], index: str | os.PathLike[str]) -> Published:
    """Points ``root`` at a finished index. Raises ValueError if it cannot be opened."""
    root, index = Path(root), Path(index).resolve()
    published = Published(path=str(index), content_hash=SearchEngine.open(index).content_hash)
    root.mkdir(parents=True, exist_ok=True)
    jsonl.write(root / POINTER, [published])
    return published


class LiveEngine:
    """The engine of whatever index ``root`` points at now; many threads may use one."""

    def __init__(self, root: str | os.PathLike[str], **options) -> None:
        """Opens it. ``options`` go to ``SearchEngine.open``."""
        self._pointer = Path(root) / POINTER
        self._options = options
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._engine: SearchEngine | None = None
        _ = self.engine

    @property
    def engine(self) -> SearchEngine:
        """The current engine: hold it for the length of one request.

        Raises:
            ValueError: nothing was published here.
        """
        try:
            state = self._pointer.stat()
        except FileNotFoundError:
            raise ValueError(f"{self._pointer}: no such file; publish an index first") from None
        version = (state.st_ino, state.st_mtime_ns)
        with self._lock:
            if self._engine is None or version != self._seen:
                (published,) = jsonl.read(self._pointer, Published)
                self._engine = SearchEngine.open(published.path, **self._options)
                self._seen = version
            return self._engine


def updated(
    base: str | os.PathLike[str], items: Iterable[Item], delete: Iterable[str] = ()
) -> Iterator[Item]:
    """An index's documents after an update: removals, then new documents, then the old ones.

    Fed through ``first_of_each`` into ``build_index``: a new document replaces the old one of
    its id, and a removed id takes the old one out. All are indexed anew (read from the index's
    own lines, not from their sources), so that word statistics, and with them the ranking, are
    those of an index that never had the old documents.
    """
    yield from (Removal(doc_id=doc_id) for doc_id in delete)
    yield from items
    yield from jsonl.read(Path(base) / layout.DOCUMENTS, Document)
