"""Which held-out entities the training text names all the same."""

import functools
from collections.abc import Iterable, Iterator, Mapping

from medr_jax.grading import match
from medr_jax.trajectories import evidence
from medr_jax.types import Trajectory

_END = ""
"""Marks the end of a name in the trie of words; no word is empty."""


class NameFinder:
    """Finds any of many entities' names in texts, in one pass over a text's words.

    Names are compared as normalised runs of whole words, so a gene symbol that is also an
    English word counts as named: the count errs on the side of contamination.
    """

    def __init__(self, names: Mapping[str, Iterable[str]]):
        self._trie: dict = {}
        for entity_id, its_names in sorted(names.items()):
            for name in its_names:
                self._add(entity_id, match.words(name))
        # Hits repeat: the same snippet stands in many trajectories.
        self._found = functools.lru_cache(maxsize=1 << 16)(self._find)

    def named(self, trajectory: Trajectory) -> tuple[str, ...]:
        """Sorted ids of the entities that any text of the trajectory names."""
        found: set[str] = set()
        for text in evidence.texts(trajectory):
            found |= self._found(text)
        return tuple(sorted(found))

    def in_text(self, text: str) -> frozenset[str]:
        """Ids of the entities that ``text`` names."""
        return self._found(text)

    def _add(self, entity_id: str, words: tuple[str, ...]) -> None:
        if not words:
            return
        node = self._trie
        for word in words:
            node = node.setdefault(word, {})
        node.setdefault(_END, []).append(entity_id)

    def _find(self, text: str) -> frozenset[str]:
        return frozenset(self._scan(match.words(text)))

    def _scan(self, words: tuple[str, ...]) -> Iterator[str]:
        for start in range(len(words)):
            node = self._trie
            for word in words[start:]:
                node = node.get(word)
                if node is None:
                    break
                yield from node.get(_END, ())
