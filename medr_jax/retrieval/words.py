"""Search by words: from the strictest query to the loosest, until there are enough hits.

What has to be looked up in the index is yielded (``retrieval.batch``).
"""

import functools
from collections.abc import Callable, Container, Iterator, Sized
from typing import TypeAlias

import numpy as np
import tantivy

from medr_jax.retrieval.batch import Request, Steps
from medr_jax.retrieval.columns import ANY, Columns, Filters
from medr_jax.retrieval.query import ParsedQuery, QueryBuilder

_TIE_MARGIN = 8  # candidates beyond the wanted ones, so that ties can be put in order
_MAX_TIE_CANDIDATES = 1024
_SCORE_DIGITS = 3  # float32 sums differ beyond
_WIDE_SHARE = 0.05  # of the documents: filters that pass more are applied to the best of all
_SPARE = 1.75  # of the candidates that such filters should need: ten are missed once in 200

Found: TypeAlias = list[tuple[int, float]]
"""(ordinal, score), best first, ties in order of id."""

_Build: TypeAlias = Callable[[Filters], tantivy.Query]


class WordSearch:
    """Ranks the documents of one opened index by words."""

    def __init__(
        self,
        queries: QueryBuilder,
        doc_id: Callable[[int], str],
        columns: Columns,
        *,
        stages: bool,
    ) -> None:
        self._queries = queries
        self._doc_id = doc_id
        self._by_stages = stages
        self._num_docs = len(columns.kind_N)
        self._passing = functools.lru_cache(maxsize=64)(columns.matching)

    def best(
        self, parsed: ParsedQuery, filters: Filters, exclude: Container[str], num_hits: int
    ) -> Steps[Found]:
        """Each stage fills what the last left."""
        ranked: dict[int, float] = {}
        for build in self._stages(parsed, ranked):
            wanted = num_hits - len(ranked)
            found = yield from self._found(build, filters, exclude, wanted, ranked)
            ranked.update(found)
            if len(ranked) >= num_hits:
                break
        return list(ranked.items())

    def bearers(
        self, parsed: ParsedQuery, filters: Filters, exclude: Container[str], num_hits: int
    ) -> Steps[list[int]]:
        """Documents that bear an identifier of the query."""
        build = functools.partial(self._queries.identified, parsed)
        found = yield from self._found(build, filters, exclude, num_hits, ())
        return [ordinal for ordinal, _ in found]

    def _stages(self, parsed: ParsedQuery, ranked: Sized) -> Iterator[_Build]:
        """From the strictest query to the loosest; ``ranked`` is what was found so far."""
        queries = self._queries
        if parsed.identifiers:
            yield functools.partial(queries.identified, parsed)
        if not self._by_stages:
            if parsed.weights:
                yield functools.partial(queries.disjunction, parsed)
            return
        if parsed.phrases:
            yield functools.partial(queries.phrased, parsed)
        if parsed.weights:
            yield functools.partial(queries.conjunction, parsed)
        if len(parsed.weights) > 1:
            # What only fills up need not be ranked by every common word.
            if len(ranked) > 0:
                yield functools.partial(queries.disjunction, parsed, telling_only=True)
            yield functools.partial(queries.disjunction, parsed)

    def _found(
        self,
        build: _Build,
        filters: Filters,
        exclude: Container[str],
        wanted: int,
        taken: Container[int],
    ) -> Steps[Found]:
        """The ``wanted`` best that pass and are neither excluded nor taken."""
        if filters != ANY:
            passes_N = self._passing(filters)
            share = np.count_nonzero(passes_N) / max(self._num_docs, 1)
            if share >= _WIDE_SHARE:
                query = build(ANY)
                found = yield from self._among_all(query, passes_N, share, exclude, wanted, taken)
                if found is not None:
                    return found
        return (yield from self._among_passing(build(filters), exclude, wanted, taken))

    def _among_all(
        self,
        query: tantivy.Query,
        passes_N: np.ndarray,
        share: float,
        exclude: Container[str],
        wanted: int,
        taken: Container[int],
    ) -> Steps[Found | None]:
        """From the best of all documents, or None where these do not settle it.

        Tantivy skips documents that cannot be among the best, but not within a filter: many
        candidates of all are cheaper than few of a filter that passes much.
        """
        limit = int(_SPARE * wanted / share) + _TIE_MARGIN
        ordinals, scores = yield Request(query, limit)
        passing = [
            (ordinal, score)
            for ordinal, score, passes in zip(
                ordinals, scores, passes_N[ordinals].tolist(), strict=True
            )
            if passes
        ]
        best = self._ordered(passing, exclude, wanted, taken)
        if len(ordinals) < limit:
            return best
        return best if _settled(best, wanted, scores) else None

    def _among_passing(
        self, query: tantivy.Query, exclude: Container[str], wanted: int, taken: Container[int]
    ) -> Steps[Found]:
        limit = wanted + _TIE_MARGIN
        while True:
            ordinals, scores = yield Request(query, limit)
            best = self._ordered(zip(ordinals, scores, strict=True), exclude, wanted, taken)
            if len(ordinals) < limit or limit >= self._num_docs:
                return best
            enough = len(best) == wanted and limit >= _MAX_TIE_CANDIDATES
            if enough or _settled(best, wanted, scores):
                return best
            limit = min(4 * limit, self._num_docs)

    def _ordered(self, rows, exclude: Container[str], wanted: int, taken: Container[int]) -> Found:
        usable = sorted(
            (-round(score, _SCORE_DIGITS), ordinal)
            for ordinal, score in rows
            if ordinal not in taken
        )
        best: list[tuple[float, str, int]] = []
        for score, ordinal in usable:
            # Ids are read from the documents' file: not of rows behind the last wanted score.
            if len(best) >= wanted and score > best[wanted - 1][0]:
                break
            doc_id = self._doc_id(ordinal)
            if doc_id not in exclude:
                best.append((score, doc_id, ordinal))
        best.sort()
        return [(ordinal, -score) for score, _, ordinal in best[:wanted]]


def _settled(best: Found, wanted: int, scores: list[float]) -> bool:
    """Whether no document that was not looked at could be among the best, ties included."""
    return len(best) == wanted and best[-1][1] > round(scores[-1], _SCORE_DIGITS)
