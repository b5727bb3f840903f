"""Documents to a Tantivy index on disk.

A finished index folder holds ``tantivy/`` (what is searched), ``documents.jsonl`` with
``offsets.npy`` (what is shown, one canonical JSON line each) and ``index.json`` (what it is),
which is renamed in last: a folder without it is no index.
"""

import errno
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import tantivy

from medr_jax import console, jsonl
from medr_jax.retrieval.analysis import STEMMED, Analyzer, fold
from medr_jax.retrieval.corpus import ABSENT, Document
from medr_jax.retrieval.segments import Segment, indexed_text, parse_segment, without_counts

FORMAT = 1
"""Of the folder and the schema; part of the content hash."""

TANTIVY = "tantivy"
DOCUMENTS = "documents.jsonl"
OFFSETS = "offsets.npy"
SUMMARY = "index.json"

_MAX_KEY_CHARS = 400
_HEAP_BYTES = 256_000_000  # one segment up to about 100k short documents


@dataclass(kw_only=True, slots=True)
class IndexConfig:
    """How documents are ranked: weights of BM25 over the whole text and of what adds to it.

    All weights are ours, chosen on disease, gene and phenotype names of the HPO corpus.
    """

    title_boost: float = 2.0  # terms of the title
    synonym_boost: float = 0.5  # terms of the synonyms
    name_boost: float = 3.0  # a phrase of the query that is the title or a synonym
    item_boost: float = 1.0  # a phrase of the query that the document lists as an item

    def __post_init__(self) -> None:
        for field in ("title_boost", "synonym_boost", "name_boost", "item_boost"):
            value = getattr(self, field)
            if not 0 <= value < 1000:
                raise ValueError(f"index.{field}={value}: must be at least 0 and below 1000")


class IndexStats(msgspec.Struct, frozen=True, kw_only=True):
    """What was built."""

    content_hash: str
    counts: dict[str, int]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """``index.json``."""

    format: int
    content_hash: str
    counts: dict[str, int]
    ranking: dict[str, float]


def schema() -> tantivy.Schema:
    """Searched fields; documents themselves are kept outside of Tantivy.

    Integers are signed: Tantivy's writer dies of Python ints in an unsigned field.
    """
    builder = tantivy.SchemaBuilder()
    for field in ("title", "synonyms", "body"):  # body: the whole text, title included
        builder.add_text_field(field, tokenizer_name=STEMMED, index_option="freq")
    for field in ("doc_id", "kind", "identifiers", "names", "items"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("ordinal", fast=True)
    builder.add_integer_field("date", fast=True, indexed=True)  # 20250116; 0 = unknown
    builder.add_float_field("authority", fast=True)
    return builder.build()


def build_index(documents: Iterable[Document], path: Path, config: IndexConfig) -> IndexStats:
    """Writes the index of ``documents`` into the folder ``path``, replacing what was there.

    The content hash covers the decoded documents in their order, the ranking weights and the
    format; it does not depend on file bytes. One writer thread: the order of equal documents
    is the order of arrival.

    Raises:
        ValueError: a document's id is empty or not unique, or its text is not valid Unicode.
        OSError: the disk is full.
    """
    path = Path(path)
    _wipe(path)
    ranking = {name: float(getattr(config, name)) for name in IndexConfig.__slots__}
    digest = hashlib.sha256(jsonl.encode({"format": FORMAT, "ranking": ranking}))
    (path / TANTIVY).mkdir(parents=True)
    index = tantivy.Index(schema(), path=str(path / TANTIVY))
    Analyzer.register(index)
    try:
        with (path / DOCUMENTS).open("wb") as lines:
            counts = _add_all(documents, index, lines, digest.update, path / OFFSETS)
    except ValueError as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, "no space left on the disk", str(path)) from error
        raise
    stats = IndexStats(content_hash=digest.hexdigest(), counts=counts)
    summary = Summary(
        format=FORMAT, content_hash=stats.content_hash, counts=counts, ranking=ranking
    )
    jsonl.write(path / SUMMARY, [summary])
    return stats


def _wipe(path: Path) -> None:
    """Removes an earlier index, its summary first, so that half of one never looks whole."""
    path.mkdir(parents=True, exist_ok=True)
    for name in (SUMMARY, DOCUMENTS, OFFSETS):
        (path / name).unlink(missing_ok=True)
    if (path / TANTIVY).exists():
        shutil.rmtree(path / TANTIVY)


def _add_all(
    documents: Iterable[Document],
    index: tantivy.Index,
    lines: BinaryIO,
    update_hash: Callable[[bytes], object],
    offsets_path: Path,
) -> dict[str, int]:
    analyzer = Analyzer()
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    offsets = [0]
    for ordinal, document in enumerate(console.track(documents, "indexing")):
        if not document.doc_id or document.doc_id in seen:
            problem = "is used twice" if document.doc_id else "is empty"
            raise ValueError(f"document {ordinal}: doc_id {document.doc_id!r} {problem}")
        seen.add(document.doc_id)
        line = _encoded(document) + b"\n"
        update_hash(line)
        lines.write(line)
        offsets.append(offsets[-1] + len(line))
        writer.add_document(_fields(document, ordinal, analyzer))
        kinds[document.kind] += 1
    writer.commit()
    writer.wait_merging_threads()
    np.save(offsets_path, np.asarray(offsets, dtype=np.int64))
    return {"documents": len(seen), **dict(sorted(kinds.items()))}


def _encoded(document: Document) -> bytes:
    try:
        return jsonl.encode(document)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"document {document.doc_id!r}: text that is not valid Unicode ({error.reason}); "
            "replace lone surrogates, for example with medr_jax.retrieval.analysis.plain"
        ) from error


def _fields(document: Document, ordinal: int, analyzer: Analyzer) -> tantivy.Document:
    fields = tantivy.Document()
    parsed = [parse_segment(segment) for segment in document.segments]
    synonyms = " ; ".join(document.synonyms)
    fields.add_text("title", fold(document.title))
    fields.add_text("synonyms", fold(synonyms))
    body = " ; ".join([document.title, synonyms, *map(indexed_text, parsed)])
    fields.add_text("body", fold(body))
    fields.add_text("doc_id", document.doc_id)
    fields.add_text("kind", document.kind)
    for identifier in dict.fromkeys([document.doc_id, *document.identifiers]):
        fields.add_text("identifiers", identifier.upper())
    names = analyzer.keys([document.title, *document.synonyms])
    items = analyzer.keys(item for segment in parsed for item in _items(segment))
    for field, keys in (("names", names), ("items", items)):
        for key in keys:
            if len(key) <= _MAX_KEY_CHARS:
                fields.add_text(field, key)
    fields.add_integer("ordinal", ordinal)
    fields.add_integer("date", date_number(document.date))
    fields.add_float("authority", document.authority)
    return fields


def _items(segment: Segment) -> Iterator[str]:
    """What a query can name: listed items but absences, sentences, and prose as a whole."""
    if segment.label == ABSENT:
        return
    yield from map(without_counts, segment.pieces)
    if not segment.listed and len(segment.pieces) > 1:
        yield " ".join(segment.pieces)


def date_number(date: str) -> int:
    """20250116 for "2025-01-16", 20250100 for "2025-01", 0 for what is no date."""
    digits = "".join(date.split("-"))
    return int(digits.ljust(8, "0")) if digits.isdecimal() and 4 <= len(digits) <= 8 else 0
