"""Marks in a text for the words that a query asked for."""

import re
from collections.abc import Container

from medr_jax.retrieval.analysis import Analyzer

_WORD = re.compile(r"[^\W_]+")


def highlighted(
    text: str, terms: Container[str], analyzer: Analyzer, marks: tuple[str, str]
) -> str:
    """``text`` with each word that has one of the terms between the two marks.

    A word is compared as the index compares it: stemmed, without accents, Greek spelled out.
    The text is not escaped; whoever shows it as HTML escapes it first.
    """
    before, after = marks

    def mark(match: re.Match[str]) -> str:
        word = match.group()
        found = any(term in terms for term in analyzer.name_terms(word))
        return f"{before}{word}{after}" if found else word

    return _WORD.sub(mark, text)
