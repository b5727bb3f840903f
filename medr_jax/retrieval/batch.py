"""Many queries at once, on all cores: Tantivy works without Python's lock."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from medr_jax.cores import usable_cores

T = TypeVar("T")

_CHUNK = 32  # queries: less is done before another thread has started


def each(function: Callable[[str], T], queries: Sequence[str], threads: int | None) -> list[T]:
    """``function`` of each query, in order; ``threads`` None = as many as there are cores.

    Raises:
        ValueError: threads < 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}: must be at least 1, or None for all cores")
    chunks = [queries[at : at + _CHUNK] for at in range(0, len(queries), _CHUNK)]
    threads = min(threads or usable_cores(), len(chunks))
    if threads < 2:
        return [function(query) for query in queries]
    with ThreadPoolExecutor(threads, thread_name_prefix="queries") as pool:
        done = pool.map(lambda chunk: [function(query) for query in chunk], chunks)
        return [result for results in done for result in results]
