"""Comparing names by their words."""

import functools
import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_IRREGULAR = {"feet": "foot", "teeth": "tooth", "children": "child", "vertebrae": "vertebra"}


@functools.lru_cache(maxsize=1 << 17)
def words(text: str) -> tuple[str, ...]:
    """Lower-case words without punctuation, plurals as singulars: "Café's 2" -> café, s, 2."""
    return tuple(_singular(word) for word in _WORD.findall(text.casefold()))


@functools.lru_cache(maxsize=1 << 17)
def spaced(text: str) -> str:
    """The words between single spaces, so that ``in`` compares whole words."""
    return f" {' '.join(words(text))} "


def mentions(text: str, name: str) -> bool:
    """Whether the words of ``name`` stand in ``text`` in a row; an empty name never does."""
    wanted = spaced(name)
    return bool(wanted.strip()) and wanted in spaced(text)


def mentions_any(text: str, names: Iterable[str]) -> bool:
    """Whether ``text`` mentions one of the names."""
    inside = spaced(text)
    return any(wanted.strip() and wanted in inside for wanted in map(spaced, names))


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
