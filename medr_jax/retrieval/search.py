"""The engine: a query to ranked hits, an id to its document."""

import functools
import mmap
import os
from collections.abc import Container, Iterator, Sequence, Sized
from pathlib import Path

import msgspec
import numpy as np
import tantivy

from medr_jax import jsonl
from medr_jax.retrieval import index as layout
from medr_jax.retrieval.analysis import Analyzer, plain
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.query import ParsedQuery, QueryBuilder
from medr_jax.retrieval.snippet import PreparedDocument, snippet
from medr_jax.types import Hit

_PREPARED_DOCUMENTS = 16_384  # kept cut and analyzed; about 5 KB each
_MAX_KEPT_BYTES = 65_536  # longer documents are prepared anew each time
_TIE_MARGIN = 8  # candidates beyond the wanted ones, so that ties can be put in order
_MAX_TIE_CANDIDATES = 1024
_SCORE_DIGITS = 3  # float32 sums differ beyond


class _Identity(msgspec.Struct):
    doc_id: str


class SearchEngine:
    """Read access to a finished index; many threads may use one engine.

    ``content_hash`` identifies documents and ranking, ``counts`` says what is in it.
    """

    def __init__(self, path: Path, summary: layout.Summary) -> None:
        self.content_hash = summary.content_hash
        self.counts = dict(summary.counts)
        index = tantivy.Index.open(str(path / layout.TANTIVY))
        self._analyzer = Analyzer()
        Analyzer.register(index)
        self._schema = index.schema
        self._searcher = index.searcher()
        self._queries = QueryBuilder(
            self._searcher, self._schema, self._analyzer, layout.IndexConfig(**summary.ranking)
        )
        self._offsets: list[int] = np.load(path / layout.OFFSETS).tolist()
        self._lines = _mapped(path / layout.DOCUMENTS)
        self._documents = msgspec.json.Decoder(Document)
        self._identities = msgspec.json.Decoder(_Identity)
        self._doc_id = functools.lru_cache(maxsize=1 << 17)(self._read_id)
        self._kept = functools.lru_cache(maxsize=_PREPARED_DOCUMENTS)(self._prepare)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "SearchEngine":
        """The engine of a folder that ``build_index`` finished.

        Raises:
            ValueError: the folder is no finished index, or one that another version wrote.
        """
        path = Path(path)
        if not (path / layout.SUMMARY).is_file():
            raise ValueError(f"{path}: no finished index here; run build_index (again)")
        (summary,) = jsonl.read(path / layout.SUMMARY, layout.Summary)
        if summary.format != layout.FORMAT:
            raise ValueError(
                f"{path}: index format {summary.format}, this version reads {layout.FORMAT}; "
                "run build_index again"
            )
        try:
            engine = cls(path, summary)
            if not engine._is_whole():
                raise ValueError("parts are missing")
        except (OSError, ValueError) as error:
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
        return len(self._offsets) - 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that documents of this index have."""
        return tuple(sorted(self.counts.keys() - {"documents"}))

    def search(
        self,
        query: str,
        *,
        num_hits: int = 5,
        kind: str = "",
        exclude: Container[str] = (),
        snippet_words: int = 40,
    ) -> list[Hit]:
        """Best hits first; any text is a valid query, and one without words has no hits.

        Bearers of an identifier in the query come first, then documents with all of its terms
        (BM25 over the whole text, more for title and synonyms, a bonus for names and listed
        items that the query contains), then documents with any. Ties are in order of id.

        Args:
            kind: only documents of this kind; it does not change their order. "" = all.
            exclude: ids of documents that are not to be found.
            snippet_words: words of the document shown in each hit.
        """
        if num_hits < 1:
            raise ValueError(f"num_hits={num_hits}: must be at least 1")
        parsed = self._queries.parse(query)
        hits = []
        for ordinal, score in self._ranked(parsed, kind, exclude, num_hits):
            prepared = self._prepared(ordinal)
            document = prepared.document
            hits.append(
                Hit(
                    doc_id=document.doc_id,
                    title=plain(document.title),
                    kind=document.kind,
                    snippet=snippet(prepared, parsed, self._queries.weight, snippet_words),
                    score=score,
                )
            )
        return hits

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
        return self._documents.decode(self._line(ordinal))

    def _ranked(
        self, parsed: ParsedQuery, kind: str, exclude: Container[str], num_hits: int
    ) -> list[tuple[int, float]]:
        """(ordinal, score) of the hits: each stage of the search fills what the last left."""
        ranked: dict[int, float] = {}
        for query in self._stages(parsed, kind, ranked):
            ranked.update(self._found(query, exclude, num_hits - len(ranked), ranked))
            if len(ranked) >= num_hits:
                break
        return list(ranked.items())

    def _stages(self, parsed: ParsedQuery, kind: str, ranked: Sized) -> Iterator[tantivy.Query]:
        """From the strictest query to the loosest; ``ranked`` is what was found so far."""
        if parsed.identifiers:
            yield self._queries.identified(parsed, kind)
        if parsed.phrases:
            yield self._queries.phrased(parsed, kind)
        if parsed.weights:
            yield self._queries.conjunction(parsed, kind)
        if len(parsed.weights) > 1:
            # What only fills up need not be ranked by every common word.
            if len(ranked) > 0:
                yield self._queries.disjunction(parsed, kind, telling_only=True)
            yield self._queries.disjunction(parsed, kind)

    def _found(
        self, query: tantivy.Query, exclude: Container[str], wanted: int, taken: Container[int]
    ) -> list[tuple[int, float]]:
        """The ``wanted`` best that are neither excluded nor taken, ties in order of id."""
        limit = wanted + _TIE_MARGIN
        while True:
            rows = self._searcher.search(query, limit, count=False).hits
            scores = [round(score, _SCORE_DIGITS) for score, _ in rows]
            ordinals = self._searcher.fast_field_values("ordinal", [at for _, at in rows])
            usable = [
                (-score, doc_id, ordinal)
                for score, ordinal in zip(scores, ordinals, strict=True)
                if ordinal not in taken and (doc_id := self._doc_id(ordinal)) not in exclude
            ]
            usable.sort()
            best = [(ordinal, -score) for score, _, ordinal in usable[:wanted]]
            if len(rows) < limit or limit >= len(self):
                return best
            settled = len(best) == wanted and best[-1][1] > scores[-1]
            if settled or (len(best) == wanted and limit >= _MAX_TIE_CANDIDATES):
                return best
            limit = min(4 * limit, len(self))

    def _is_whole(self) -> bool:
        """Whether the three parts of the folder are of one length."""
        counted = {len(self), self._searcher.num_docs, self.counts["documents"]}
        return len(counted) == 1 and len(self._lines) == self._offsets[-1]

    def _line(self, ordinal: int) -> bytes:
        return self._lines[self._offsets[ordinal] : self._offsets[ordinal + 1]]

    def _read_id(self, ordinal: int) -> str:
        return self._identities.decode(self._line(ordinal)).doc_id

    def _prepare(self, ordinal: int) -> PreparedDocument:
        return PreparedDocument(self._documents.decode(self._line(ordinal)), self._analyzer)

    def _prepared(self, ordinal: int) -> PreparedDocument:
        size = self._offsets[ordinal + 1] - self._offsets[ordinal]
        return (self._kept if size <= _MAX_KEPT_BYTES else self._prepare)(ordinal)


def _mapped(path: Path) -> mmap.mmap | bytes:
    """The file's bytes, paged in when used. An empty file cannot be mapped."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
