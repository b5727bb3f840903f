"""How a document is laid out in Tantivy."""

import functools
from collections.abc import Iterator

import tantivy

from medr_jax.retrieval.analysis import STEMMED, Analyzer, fold
from medr_jax.retrieval.corpus import ABSENT, Document
from medr_jax.retrieval.segments import Segment, indexed_text, parse_segment, without_counts
from medr_jax.retrieval.spelling import other_spellings

_MAX_KEY_CHARS = 400


def schema() -> tantivy.Schema:
    """Searched fields; documents themselves are kept outside of Tantivy.

    Integers are signed: Tantivy's writer dies of Python ints in an unsigned field.
    """
    builder = tantivy.SchemaBuilder()
    for field in ("title", "synonyms", "body"):  # body: the whole text, title included
        builder.add_text_field(field, tokenizer_name=STEMMED, index_option="freq")
    for field in ("doc_id", "kind", "source", "identifiers", "names", "heads", "items"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("ordinal", fast=True)
    builder.add_integer_field("date", fast=True, indexed=True)  # 20250116; 0 = unknown
    return builder.build()


def fields(
    document: Document, ordinal: int, analyzer: Analyzer, *, spellings: bool
) -> tantivy.Document:
    """The document as it is searched.

    Args:
        spellings: index other usual spellings of symbols beside the text.
    """
    made = tantivy.Document()
    parsed = [parse_segment(segment) for segment in document.segments]
    synonyms = " ; ".join(document.synonyms)
    body = " ; ".join([document.title, synonyms, *map(indexed_text, parsed)])
    for field, text in (("title", document.title), ("synonyms", synonyms), ("body", body)):
        folded = fold(text)
        made.add_text(field, f"{folded} {other_spellings(text)}" if spellings else folded)
    made.add_text("doc_id", document.doc_id)
    made.add_text("kind", document.kind)
    made.add_text("source", document.source)
    for identifier in dict.fromkeys([document.doc_id, *document.identifiers]):
        made.add_text("identifiers", identifier.upper())
    names = analyzer.keys([document.title, *document.synonyms])
    items = analyzer.keys(item for segment in parsed for item in _items(segment))
    heads = dict.fromkeys(head(name) for name in names if " " in name)
    for field, keys in (("names", names), ("heads", heads), ("items", items)):
        for key in keys:
            if len(key) <= _MAX_KEY_CHARS:
                made.add_text(field, key)
    made.add_integer("ordinal", ordinal)
    made.add_integer("date", date_number(document.date))
    return made


def head(key: str) -> str:
    """The first two words of a name: most pairs of words in a query are none's."""
    return " ".join(key.split(" ", 2)[:2])


def _items(segment: Segment) -> Iterator[str]:
    """What a query can name: listed items but absences, sentences, and prose as a whole."""
    if segment.label == ABSENT:
        return
    yield from map(without_counts, segment.pieces)
    if not segment.listed and len(segment.pieces) > 1:
        yield " ".join(segment.pieces)


@functools.lru_cache(maxsize=4096)
def date_number(date: str) -> int:
    """20250116 for "2025-01-16", 20250100 for "2025-01", 0 for what is no date."""
    digits = "".join(date.split("-"))
    return int(digits.ljust(8, "0")) if digits.isdecimal() and 4 <= len(digits) <= 8 else 0
