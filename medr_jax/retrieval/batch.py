"""Looking things up in the index, for one query or for many at once.

A ranking is a generator: it yields what it wants searched and is sent what was found. So many
rankings can go on side by side. Tantivy works without Python's lock: the searches of a round run
on all cores. Nothing else does, for threads that hand that lock to and fro all the time gain
nothing.
"""

import contextlib
import itertools
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, TypeVar

import tantivy

from medr_jax.cores import usable_cores

T = TypeVar("T")

_LEAST = 16  # searches for which a thread is worth starting
_MOST = 512  # rankings that go on side by side: what each has found takes memory


class Request(NamedTuple):
    """The best ``limit`` documents of a query are wanted."""

    query: tantivy.Query
    limit: int


Rows: TypeAlias = tuple[list[int], list[float]]
"""Ordinals and scores, best first."""

Steps: TypeAlias = Generator[Request, Rows, T]
"""A ranking under way."""


class Searches:
    """Answers what rankings ask of one opened index."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher

    def one(self, steps: Steps[T]) -> T:
        """Runs a ranking to its end."""
        try:
            request = next(steps)
            while True:
                request = steps.send(self._search(request))
        except StopIteration as end:
            return end.value

    def many(self, rankings: Sequence[Steps[T]], threads: int | None) -> list[T]:
        """What each ranking comes to, in order; ``threads`` None = as many as there are cores.

        Raises:
            ValueError: threads < 1.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads={threads}: must be at least 1, or None for all cores")
        threads = min(threads or usable_cores(), len(rankings) // _LEAST)
        with contextlib.ExitStack() as stack:
            pool = None
            if threads > 1:
                pool = stack.enter_context(ThreadPoolExecutor(threads, "searches"))
            return [
                result
                for first in range(0, len(rankings), _MOST)
                for result in self._side_by_side(rankings[first : first + _MOST], pool, threads)
            ]

    def _side_by_side(
        self, rankings: Sequence[Steps[T]], pool: ThreadPoolExecutor | None, threads: int
    ) -> list[T]:
        ended: dict[int, T] = {}
        found: dict[int, Rows | None] = dict.fromkeys(range(len(rankings)))
        while found:
            asked: dict[int, Request] = {}
            for number, rows in found.items():
                try:
                    asked[number] = rankings[number].send(rows)  # type: ignore[arg-type]
                except StopIteration as end:
                    ended[number] = end.value
            rows = self._search_all(list(asked.values()), pool, threads)
            found = dict(zip(asked, rows, strict=True))
        return [ended[number] for number in range(len(rankings))]

    def _search_all(
        self, requests: Sequence[Request], pool: ThreadPoolExecutor | None, threads: int
    ) -> list[Rows]:
        if pool is None or len(requests) < 2 * _LEAST:
            return [self._search(request) for request in requests]
        size = -(-len(requests) // threads)
        shares = [requests[first : first + size] for first in range(0, len(requests), size)]
        done = pool.map(lambda share: [self._search(request) for request in share], shares)
        return list(itertools.chain.from_iterable(done))

    def _search(self, request: Request) -> Rows:
        rows = self._searcher.search(request.query, request.limit, count=False).hits
        ordinals = self._searcher.fast_field_values("ordinal", [at for _, at in rows])
        return ordinals, [score for score, _ in rows]
