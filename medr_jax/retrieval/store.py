"""The documents of an index as they are shown, by their place in it."""

import functools
import mmap
from pathlib import Path

import msgspec
import numpy as np

from medr_jax.retrieval import index as layout
from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.snippet import PreparedDocument

_PREPARED_DOCUMENTS = 16_384  # kept cut and analyzed; about 5 KB each
_MAX_KEPT_BYTES = 65_536  # longer documents are prepared anew each time


class _Identity(msgspec.Struct):
    doc_id: str


class DocumentStore:
    """Read access to ``documents.jsonl``, memory-mapped: processes share its pages."""

    def __init__(self, path: Path, analyzer: Analyzer) -> None:
        self._offsets: list[int] = np.load(path / layout.OFFSETS).tolist()
        self._lines = _mapped(path / layout.DOCUMENTS)
        self._analyzer = analyzer
        self._documents = msgspec.json.Decoder(Document)
        self._identities = msgspec.json.Decoder(_Identity)
        self.doc_id = functools.lru_cache(maxsize=1 << 17)(self._read_id)
        self._kept = functools.lru_cache(maxsize=_PREPARED_DOCUMENTS)(self._prepare)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def is_whole(self) -> bool:
        """Whether the file is as long as its offsets say."""
        return len(self._lines) == self._offsets[-1]

    def document(self, ordinal: int) -> Document:
        """The document at this place."""
        return self._documents.decode(self._line(ordinal))

    def prepared(self, ordinal: int) -> PreparedDocument:
        """The document with its text cut and analyzed."""
        size = self._offsets[ordinal + 1] - self._offsets[ordinal]
        return (self._kept if size <= _MAX_KEPT_BYTES else self._prepare)(ordinal)

    def _line(self, ordinal: int) -> bytes:
        return self._lines[self._offsets[ordinal] : self._offsets[ordinal + 1]]

    def _read_id(self, ordinal: int) -> str:
        return self._identities.decode(self._line(ordinal)).doc_id

    def _prepare(self, ordinal: int) -> PreparedDocument:
        return PreparedDocument(self.document(ordinal), self._analyzer)


def _mapped(path: Path) -> mmap.mmap | bytes:
    """The file's bytes, paged in when used. An empty file cannot be mapped."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
