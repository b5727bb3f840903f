"""Who is compared: each ranks the same documents for the same queries."""

import copy
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from medr_jax.cores import usable_cores
from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.columns import Filters
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.dense import Embedder
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine

OURS = "medr_jax"


class System(Protocol):
    """A ranking of documents."""

    name: str
    build_s: float

    def rank(self, queries: Sequence[str], num_hits: int, filters: Filters) -> list[list[str]]:
        """Ids, best first, for each query."""
        ...


class Threaded(System, Protocol):
    """One that can rank many queries on several threads."""

    threads: int


class Ours:
    """Our engine, without snippets: what it ranks, not what it shows."""

    def __init__(
        self,
        documents: Sequence[Document],
        folder: Path,
        config: IndexConfig | None = None,
        embed: Embedder | None = None,
        name: str = OURS,
    ) -> None:
        self.name = name
        self.threads = 1
        start = time.perf_counter()
        build_index(documents, folder, config or IndexConfig(), embed=embed)
        self.build_s = time.perf_counter() - start
        self._folder, self._embed = folder, embed
        self.open()

    def open(self) -> None:
        """Opens the index, with nothing remembered of earlier queries."""
        self.engine = SearchEngine.open(self._folder, embed=self._embed)

    def rank(self, queries: Sequence[str], num_hits: int, filters: Filters) -> list[list[str]]:
        """One query after the other, as agents ask; on several threads, side by side."""
        options = {"num_hits": num_hits, "filters": filters}
        if self.threads == 1:
            ranked = [self.engine.rank(query, **options) for query in queries]
        else:
            ranked = self.engine.rank_many(queries, threads=self.threads, **options)
        return [[doc_id for doc_id, _ in hits] for hits in ranked]


class BM25S:
    """bm25s (extra "bench") over the same text and with our analysis, so it stems as we do.

    Lucene's BM25, k1 = 1.2, b = 0.75 as in Tantivy. It runs compiled where numba is installed.
    Its filter is a mask over all documents, made once for each set of filters.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._analyzer = Analyzer()
        start = time.perf_counter()
        tokens = [self._analyzer.terms(text(document)) for document in documents]
        self._ids = np.array([document.doc_id for document in documents])
        self._retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend=_backend())
        self._retriever.index(tokens, show_progress=False)
        self.build_s = time.perf_counter() - start
        self.threads = 1
        self.name = f"bm25s ({_backend()})"
        self._kinds = np.array([document.kind for document in documents])
        self._masks: dict[str, np.ndarray] = {}

    def rank(self, queries: Sequence[str], num_hits: int, filters: Filters) -> list[list[str]]:
        """All queries in one call, which is its fastest way."""
        tokens = [self._known(query) for query in queries]
        asked = [number for number, known in enumerate(tokens) if known]
        ranked: list[list[str]] = [[] for _ in queries]
        if not asked:
            return ranked
        found = self._retriever.retrieve(
            [tokens[number] for number in asked],
            k=min(num_hits, len(self._ids)),
            show_progress=False,
            n_threads=self.threads,
            weight_mask=self._mask(filters.kind) if filters.kind else None,
        )
        for number, ids, scores in zip(
            asked, self._ids[found.documents], found.scores, strict=True
        ):
            ranked[number] = [str(i) for i, s in zip(ids, scores, strict=True) if s > 0]
        return ranked

    def _known(self, query: str) -> list[str]:
        """Terms that the index has; it cannot rank by others."""
        return [t for t in self._analyzer.terms(query) if t in self._retriever.vocab_dict]

    def _mask(self, kind: str) -> np.ndarray:
        if kind not in self._masks:
            self._masks[kind] = (self._kinds == kind).astype(np.float32)
        return self._masks[kind]


def on_all_cores(system: Threaded) -> Threaded:
    """The same index; many queries are ranked by as many threads as there are cores."""
    other = copy.copy(system)
    if isinstance(other, Ours):
        other.open()
    other.threads = usable_cores()
    other.name = f"{system.name}, {other.threads} threads"
    return other


def text(document: Document) -> str:
    """All that our index has of a document."""
    return " ; ".join([document.title, *document.synonyms, *document.segments])


def _backend() -> str:
    try:
        import numba  # noqa: F401
    except ImportError:
        return "numpy"
    return "numba"
