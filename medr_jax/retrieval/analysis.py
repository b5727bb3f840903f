"""Text to search terms: one analysis for documents, queries and snippets."""

import functools
import re
import unicodedata
from collections.abc import Iterable

import tantivy

STEMMED = "medical_stemmed"
"""Name under which the schema refers to the analyzer; it must be registered at every open."""

MAX_TERM_CHARS = 64

STOP_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "do", "does", "for", "from", "has"),
        *("have", "in", "is", "it", "its", "of", "on", "or", "that", "the", "their", "there"),
        *("these", "this", "to", "was", "were", "what", "when", "which", "who", "whose", "with"),
    )
)

# Line breaks, other control characters, lone surrogates, and the marks that turn the
# direction of writing (they can make a shown text read differently from what it is).
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)

GREEK_NAMES = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon"),
    *("phi", "chi", "psi", "omega"),
)
_GREEK = {
    first + offset: f" {name} "
    for first in (0x391, 0x3B1)  # upper case, lower case; the first sigma is the final one
    for offset, name in enumerate(GREEK_NAMES)
}
_KEPT_CHARS = 120  # names repeat over thousands of documents, sentences do not


def plain(text: str) -> str:
    """``text`` on one line, as valid Unicode without control characters."""
    if text.isprintable():
        return text
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def fold(text: str) -> str:
    """Compatibility forms made one, Greek letters spelled out: "TNF-α" becomes "TNF- alpha"."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _UNPRINTABLE.sub(" ", text)).translate(_GREEK)


class Analyzer:
    """Folds, splits at everything that is neither letter nor digit, lowers, strips accents.

    ``words`` stop there, ``terms`` are stemmed as well. "IL-6" gives ``il 6`` however it is
    punctuated; a gene symbol or "C677T" stays one term. ``stop_terms``: stems of STOP_WORDS.
    """

    def __init__(self) -> None:
        self._words = _builder().build()
        self._terms = _stemming().build()
        self._kept = functools.lru_cache(maxsize=1 << 16)(lambda text: tuple(self.terms(text)))
        self.stop_terms = frozenset(self.terms(" ".join(sorted(STOP_WORDS))))

    def words(self, text: str) -> list[str]:
        """Words in order, not stemmed."""
        return self._words.analyze(fold(text))

    def terms(self, text: str) -> list[str]:
        """Stemmed words in order, as the index holds them."""
        return self._terms.analyze(fold(text))

    def name_terms(self, text: str) -> tuple[str, ...]:
        """``terms``, remembered where the text is as short as a name."""
        return self._kept(text) if len(text) <= _KEPT_CHARS else tuple(self.terms(text))

    def key(self, text: str) -> str:
        """What two spellings of one name share."""
        return " ".join(self.words(text))

    def keys(self, texts: Iterable[str]) -> list[str]:
        """Distinct keys in order; empty ones are left out."""
        return [key for key in dict.fromkeys(map(self.key, texts)) if key]

    @staticmethod
    def register(index: tantivy.Index) -> None:
        """Tells an index what its schema means by ``STEMMED``; Tantivy does not store it."""
        index.register_tokenizer(STEMMED, _stemming().build())


def _builder() -> tantivy.TextAnalyzerBuilder:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(MAX_TERM_CHARS))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )


def _stemming() -> tantivy.TextAnalyzerBuilder:
    return _builder().filter(tantivy.Filter.stemmer("english"))
