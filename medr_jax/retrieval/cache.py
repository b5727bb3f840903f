"""Answers to queries that were asked before."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class QueryCache:
    """The last answers, by key; engines may share one, for the index's hash is in every key.

    ``hits`` and ``misses`` count. Safe for many threads; two that miss at once both compute.
    """

    def __init__(self, max_entries: int = 4096) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries={max_entries}: must be at least 1")
        self._max_entries = max_entries
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What is kept under the key, else what ``compute`` gives."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self.hits += 1
                return self._kept[key]  # type: ignore[return-value]
            self.misses += 1
        value = compute()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)
        return value
