"""The engine: a query to ranked hits, an id to its document."""

import os
from collections.abc import Container, Hashable, Sequence
from pathlib import Path

import numpy as np
import tantivy

from medr_jax import jsonl
from medr_jax.retrieval import index as layout
from medr_jax.retrieval import rank
from medr_jax.retrieval.analysis import Analyzer, plain
from medr_jax.retrieval.batch import Searches, Steps
from medr_jax.retrieval.cache import QueryCache
from medr_jax.retrieval.columns import ANY, COLUMNS, Columns, Filters
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.dense import DenseSearch, Embedder
from medr_jax.retrieval.highlight import highlighted
from medr_jax.retrieval.query import MAX_QUERY_CHARS, ParsedQuery, QueryBuilder
from medr_jax.retrieval.snippet import snippet
from medr_jax.retrieval.store import DocumentStore
from medr_jax.retrieval.words import WordSearch
from medr_jax.types import Hit


class SearchEngine:
    """Read access to a finished index; many threads may use one engine.

    ``content_hash`` identifies documents and ranking, ``counts`` says what is in it.
    """

    def __init__(
        self,
        path: Path,
        summary: layout.Summary,
        *,
        embed: Embedder | None = None,
        cache: QueryCache | None = None,
    ) -> None:
        self.content_hash = summary.content_hash
        self.counts = dict(summary.counts)
        self._ranking = IndexConfig.from_ranking(summary.ranking)
        self._encoder = embed.name if embed else ""
        self._cache = cache
        index = layout.open_tantivy(path)
        self._analyzer = Analyzer()
        self._schema = index.schema
        self._searcher = index.searcher()
        self._queries = QueryBuilder(self._searcher, self._schema, self._analyzer, self._ranking)
        self._columns = Columns.load(path / COLUMNS)
        self._dense = DenseSearch(path, embed) if embed else None
        self._store = DocumentStore(path, self._analyzer)
        self._doc_id = self._store.doc_id
        self._searches = Searches(self._searcher)
        self._words = WordSearch(
            self._queries,
            self._doc_id,
            self._columns,
            stages=self._ranking.stages,
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        embed: Embedder | None = None,
        cache: QueryCache | None = None,
    ) -> "SearchEngine":
        """The engine of a folder that ``build_index`` finished.

        Args:
            embed: the encoder that the index's vectors were made by: queries are then ranked by
                words and vectors. None = by words only.
            cache: keeps answers; several engines may share it.

        Raises:
            ValueError: the folder is no finished index, one that another version wrote, or one
                of another encoder.
        """
        path = Path(path)
        if not (path / layout.SUMMARY).is_file():
            raise ValueError(f"{path}: no finished index here; run build_index (again)")
        (summary,) = jsonl.read(path / layout.SUMMARY, layout.Summary)
        if summary.format != layout.LAYOUT:
            raise ValueError(
                f"{path}: index format {summary.format}, this version reads {layout.LAYOUT}; "
                "run build_index again"
            )
        if embed is not None and embed.name != summary.encoder:
            raise ValueError(
                f"{path}: its vectors are of encoder {summary.encoder or 'none'}, not of "
                f"{embed.name}; build it with index.encoder, or open it without one"
            )
        try:
            engine = cls(path, summary, embed=embed, cache=cache)
            if not engine._is_whole():
                raise ValueError("parts are missing")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if "Lockfile" in str(error):  # Tantivy takes a lock to read as well
                raise ValueError(
                    f"{path}: cannot write the lock file in {layout.TANTIVY}/; make that folder "
                    "writable for this user, or copy the index"
                ) from error
            raise ValueError(
                f"{path}: damaged index ({error}); delete the folder and run build_index again"
            ) from error
        return engine

    def __len__(self) -> int:
        return len(self._store)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that documents of this index have."""
        return tuple(sorted(self.counts.keys() - {"documents"}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that documents of this index name."""
        return tuple(sorted(self._columns.sources))

    def search(
        self,
        query: str,
        *,
        num_hits: int = 5,
        kind: str = "",
        source: str = "",
        since: str = "",
        until: str = "",
        exclude: Container[str] = (),
        snippet_words: int = 40,
        marks: tuple[str, str] | None = None,
    ) -> list[Hit]:
        """Best hits first; any text is a valid query, and one without words has no hits.

        Bearers of an identifier in the query come first, then documents with all of its terms
        (BM25 over the whole text, more for title and synonyms, a bonus for names and listed
        items that the query contains), then documents with any. Ties are in order of id. Vectors
        and authority, where the index ranks by them, order the best of these anew.

        Args:
            kind, source: only documents of this kind or source; "" = all.
            since, until: ISO dates, or years; an undated document passes neither.
            exclude: ids of documents that are not to be found.
            snippet_words: words of the document shown in each hit.
            marks: put before and after each word of the snippet that was asked for.
        """
        if num_hits < 1:
            raise ValueError(f"num_hits={num_hits}: must be at least 1")
        filters = Filters.of(kind, source, since, until)

        def answer() -> list[Hit]:
            parsed = self._queries.parse(query)
            best = self._searches.one(self._best(query, parsed, filters, exclude, num_hits))
            return [
                self._hit(ordinal, score, parsed, snippet_words, marks) for ordinal, score in best
            ]

        if self._cache is None or not isinstance(exclude, Hashable):
            return answer()
        key = (
            self.content_hash,
            self._encoder,
            query,
            num_hits,
            filters,
            exclude,
            snippet_words,
            marks,
        )
        return list(self._cache.get(key, answer))

    def rank(
        self,
        query: str,
        *,
        num_hits: int = 10,
        filters: Filters = ANY,
        exclude: Container[str] = (),
    ) -> list[tuple[str, float]]:
        """(id, score) of the same hits as ``search``, without their text."""
        return self._searches.one(self._ranked(query, num_hits, filters, exclude))

    def rank_many(
        self,
        queries: Sequence[str],
        *,
        num_hits: int = 10,
        filters: Filters = ANY,
        exclude: Container[str] = (),
        threads: int | None = None,
    ) -> list[list[tuple[str, float]]]:
        """``rank`` for each query, side by side; ``threads`` None = as many as cores."""
        rankings = [self._ranked(query, num_hits, filters, exclude) for query in queries]
        return self._searches.many(rankings, threads)

    def search_many(self, queries: Sequence[str], **options) -> list[list[Hit]]:
        """``search`` for each query, with the same options."""
        return [self.search(query, **options) for query in queries]

    def document(self, doc_id: str) -> Document | None:
        """The document with exactly this id, or None."""
        term = tantivy.Query.term_query(
            self._schema, "doc_id", doc_id.encode(errors="replace").decode(), index_option="basic"
        )
        found = self._searcher.search(term, 1, count=False).hits
        if not found:
            return None
        (ordinal,) = self._searcher.fast_field_values("ordinal", [found[0][1]])
        return self._store.document(ordinal)

    def _hit(
        self,
        ordinal: int,
        score: float,
        parsed: ParsedQuery,
        words: int,
        marks: tuple[str, str] | None,
    ) -> Hit:
        prepared = self._store.prepared(ordinal)
        document = prepared.document
        shown = snippet(prepared, parsed, self._queries.weight, words)
        if marks is not None:
            shown = highlighted(shown, parsed.weights, self._analyzer, marks)
        return Hit(
            doc_id=document.doc_id,
            title=plain(document.heading),
            kind=document.kind,
            snippet=shown,
            score=score,
        )

    def _ranked(
        self, query: str, num_hits: int, filters: Filters, exclude: Container[str]
    ) -> Steps[list[tuple[str, float]]]:
        parsed = self._queries.parse(query)
        best = yield from self._best(query, parsed, filters, exclude, num_hits)
        return [(self._doc_id(ordinal), score) for ordinal, score in best]

    def _best(
        self,
        text: str,
        parsed: ParsedQuery,
        filters: Filters,
        exclude: Container[str],
        num_hits: int,
    ) -> Steps[list[tuple[int, float]]]:
        """(ordinal, score), best first: by words, then anew if vectors or authority count."""
        if self._dense is None and self._ranking.relevance_weight == 1.0:
            return (yield from self._words.best(parsed, filters, exclude, num_hits))
        pool = max(int(self._ranking.pool), num_hits)
        found = yield from self._words.best(parsed, filters, exclude, pool)
        scores_K = np.asarray([score for _, score in found], np.float64)
        order = [o for o, _ in found]
        relevance = dict(zip(order, rank.lexical_relevance(scores_K).tolist(), strict=True))
        if self._dense is not None and self._is_text(text, parsed):
            passes_N = self._columns.matching(filters)
            near = self._dense.near(plain(text[:MAX_QUERY_CHARS]), passes_N, 2 * pool)
            near = [(o, cosine) for o, cosine in near if self._doc_id(o) not in exclude][:pool]
            relevance = rank.fused(relevance, dict(near), self._ranking)
            order = list(dict.fromkeys([*order, *(o for o, _ in near)]))
        scored = rank.with_authority(relevance, self._columns, self._ranking)
        bearers = set()
        if parsed.identifiers:  # to name a document is not a matter of relevance
            bearers = set((yield from self._words.bearers(parsed, filters, exclude, num_hits)))
        # Of equals the one that words put first: where all authorities agree, no weight of theirs
        # changes an order.
        ordered = sorted(
            (o not in bearers, -round(scored[o], rank.DIGITS), place, o)
            for place, o in enumerate(order)
        )
        return [(ordinal, -score) for _, score, _, ordinal in ordered[:num_hits]]

    def _is_text(self, text: str, parsed: ParsedQuery) -> bool:
        """Whether there is more to it than signs and identifiers."""
        if parsed.identifiers and not parsed.weights:
            return False
        return bool(self._analyzer.words(plain(text[:MAX_QUERY_CHARS])))

    def _is_whole(self) -> bool:
        """Whether the parts of the folder are of one length."""
        counted = {len(self), self._searcher.num_docs, self.counts["documents"]}
        counted.add(len(self._columns.kind_N))
        counted |= set() if self._dense is None else {len(self._dense)}
        return len(counted) == 1 and self._store.is_whole()
