"""Documents as vectors beside the words: written while an index is built, searched by product.

Retrieval knows no model: an ``Embedder`` turns texts into unit vectors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from medr_jax.retrieval.corpus import Document

VECTORS = "vectors.npy"

_BATCH = 256
_MAX_CHARS = 2000  # an encoder reads some 256 tokens
_ROWS = 1 << 16  # of the matrix that are multiplied at a time


class Embedder(Protocol):
    """Texts to vectors of length 1. ``name`` identifies the weights; it goes into the hash."""

    name: str

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "B D"]:
        """One row a text."""
        ...


def embedded_text(document: Document) -> str:
    """What of a document is embedded: title, synonyms, text, up to 2,000 characters."""
    synonyms = f" ({'; '.join(document.synonyms)})" if document.synonyms else ""
    return " ".join([f"{document.title}{synonyms}.", *document.segments])[:_MAX_CHARS]


class VectorWriter:
    """Writes ``vectors.npy`` (float16) while documents go by; without an embedder nothing.

    An interrupted build writes it anew: vectors are rows of one file without a commit.
    """

    def __init__(self, path: Path, embed: Embedder | None) -> None:
        self._embed = embed
        self._path = path / VECTORS
        self._texts: list[str] = []
        self._rows = 0
        self._size = 0
        self._raw: BinaryIO | None = None

    def add(self, document: Document) -> None:
        """The next document."""
        if self._embed is None:
            return
        self._texts.append(embedded_text(document))
        if len(self._texts) == _BATCH:
            self._flush()

    def finish(self) -> None:
        """Writes what is left and the header."""
        if self._embed is None:
            return
        self._flush()
        if self._raw is None:
            np.save(self._path, np.zeros((0, 0), np.float16))
            return
        self._raw.close()
        raw = self._path.with_suffix(".partial")
        rows = np.memmap(raw, np.float16, "r", shape=(self._rows, self._size))
        np.save(self._path, rows)
        raw.unlink()

    def _flush(self) -> None:
        if not self._texts:
            return
        assert self._embed is not None
        vectors = np.asarray(self._embed(self._texts), np.float16)
        if self._raw is None:
            self._raw = self._path.with_suffix(".partial").open("wb")
            self._size = vectors.shape[1]
        self._raw.write(vectors.tobytes())
        self._rows += len(vectors)
        self._texts = []


class DenseSearch:
    """The vectors of an index, memory-mapped, and what turns a query into one."""

    def __init__(self, path: Path, embed: Embedder) -> None:
        self._vectors_ND = np.load(path / VECTORS, mmap_mode="r")
        self._embed = embed

    def __len__(self) -> int:
        return len(self._vectors_ND)

    def near(
        self, text: str, passes_N: Bool[np.ndarray, " N"], count: int
    ) -> list[tuple[int, float]]:
        """(ordinal, cosine) of the ``count`` documents nearest to the text, nearest first."""
        if not len(self):
            return []
        query_D = np.asarray(self._embed([text]))[0]
        ordinals_K, cosines_K = nearest(self._vectors_ND, query_D, passes_N, count)
        return list(zip(ordinals_K.tolist(), cosines_K.tolist(), strict=True))


def nearest(
    vectors_ND: Float[np.ndarray, "N D"],
    query_D: Float[np.ndarray, " D"],
    passes_N: Bool[np.ndarray, " N"],
    count: int,
) -> tuple[Int[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Ordinals and cosines of the ``count`` documents nearest to the query, nearest first.

    Exact: every vector is multiplied, in blocks (the file is float16, sums are float32). Equal
    cosines are in order of ordinal.
    """
    cosines_N = np.empty(len(vectors_ND), np.float32)
    for start in range(0, len(vectors_ND), _ROWS):
        block = np.asarray(vectors_ND[start : start + _ROWS], np.float32)
        cosines_N[start : start + _ROWS] = block @ query_D.astype(np.float32)
    cosines_N[~passes_N] = -np.inf
    count = min(count, int(passes_N.sum()))
    best = np.argpartition(-cosines_N, count - 1)[:count] if count else np.zeros(0, np.intp)
    best = best[np.lexsort((best, -cosines_N[best]))]
    return best, cosines_N[best]
