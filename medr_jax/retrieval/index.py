"""Documents to a Tantivy index on disk.

A finished index folder holds ``tantivy/`` (what is searched), ``documents.jsonl`` with
``offsets.npy`` (what is shown, one canonical JSON line each), ``columns.npz`` (what is ranked
by beside words), ``vectors.npy`` where documents were embedded, and ``index.json`` (what it is),
which is renamed in last: a folder without it is no index.
"""

import errno
import os
import shutil
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import tantivy

from medr_jax import console, jsonl
from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.columns import COLUMNS, ColumnWriter
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.content_hash import ContentHash
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.dense import VECTORS, Embedder, VectorWriter
from medr_jax.retrieval.schema import fields, schema

LAYOUT = 3
"""Of the folder and the schema. Not part of the content hash: that is of what is searched."""

TANTIVY = "tantivy"
DOCUMENTS = "documents.jsonl"
OFFSETS = "offsets.npy"
SUMMARY = "index.json"

_SHOWN_EVERY = 500  # documents between two steps of the progress bar
_HEAP_BYTES = 1_000_000_000  # of the largest segment, some 400k short documents; used as needed


class IndexStats(msgspec.Struct, frozen=True, kw_only=True):
    """What was built."""

    content_hash: str
    counts: dict[str, int]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """``index.json``."""

    format: int
    content_hash: str
    counts: dict[str, int]
    ranking: dict[str, float | int | str | bool]
    encoder: str = ""  # identity of the encoder of ``vectors.npy``; "" = there is none


def build_index(
    documents: Iterable[Document],
    path: Path,
    config: IndexConfig,
    *,
    resume: bool = False,
    order_free: bool = False,
    embed: Embedder | None = None,
) -> IndexStats:
    """Writes the index of ``documents`` into the folder ``path``, replacing what was there.

    The content hash covers the decoded documents, the ranking options and the encoder; it does
    not depend on file bytes. One writer thread: what is committed is always a prefix of the
    documents, which is what an interrupted build goes on from.

    Args:
        resume: go on from an unfinished build of the same documents in ``path``. What it
            committed (every ``config.checkpoint_documents``) is compared and not indexed again.
        order_free: hash the documents as a set, so that the order of files does not matter.
        embed: texts to unit vectors, for dense retrieval; None = lexical only.

    Raises:
        ValueError: a document's id is empty or not unique, its text is not valid Unicode, or
            the unfinished build is of other documents.
        OSError: the disk is full.
    """
    path = Path(path)
    identity = {"format": 1, "ranking": config.ranking()}
    if embed is not None:
        identity["encoder"] = embed.name
    identity_hash = ContentHash(jsonl.encode(identity), order_free=order_free)
    (path / SUMMARY).unlink(missing_ok=True)
    num_kept = _committed(path) if resume else 0
    if not num_kept:
        _wipe(path)
    try:
        counts = _add_all(documents, path, config, identity_hash, num_kept, embed)
    except ValueError as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, "no space left on the disk", str(path)) from error
        raise
    stats = IndexStats(content_hash=identity_hash.hexdigest(), counts=counts)
    summary = Summary(
        format=LAYOUT,
        content_hash=stats.content_hash,
        counts=counts,
        ranking=config.ranking(),
        encoder=embed.name if embed else "",
    )
    jsonl.write(path / SUMMARY, [summary])
    return stats


def open_tantivy(path: Path) -> tantivy.Index:
    """The Tantivy index in an index folder, with our analyzer."""
    index = tantivy.Index.open(str(path / TANTIVY))
    Analyzer.register(index)
    return index


def _committed(path: Path) -> int:
    """How many documents an unfinished build has safely written; they are the first ones."""
    try:
        count = open_tantivy(path).searcher().num_docs
        with (path / DOCUMENTS).open("rb") as lines:
            whole = sum(line.endswith(b"\n") for line, _ in zip(lines, range(count), strict=False))
    except (OSError, ValueError):
        return 0
    return count if whole == count else 0


def _wipe(path: Path) -> None:
    """Removes an earlier index; its summary went first, so half of one never looks whole."""
    path.mkdir(parents=True, exist_ok=True)
    for name in (DOCUMENTS, OFFSETS, COLUMNS, VECTORS):
        (path / name).unlink(missing_ok=True)
    if (path / TANTIVY).exists():
        shutil.rmtree(path / TANTIVY)
    (path / TANTIVY).mkdir()
    tantivy.Index(schema(), path=str(path / TANTIVY))
    (path / DOCUMENTS).touch()


def _add_all(
    documents: Iterable[Document],
    path: Path,
    config: IndexConfig,
    content_hash: ContentHash,
    num_kept: int,
    embed: Embedder | None,
) -> dict[str, int]:
    analyzer = Analyzer()
    writer = open_tantivy(path).writer(heap_size=_HEAP_BYTES, num_threads=1)
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    offsets = array("q", [0])
    columns, vectors = ColumnWriter(), VectorWriter(path, embed)
    with (path / DOCUMENTS).open("r+b") as lines, console.bar("indexing") as advance:
        for ordinal, document in enumerate(documents):
            _check_id(document, ordinal, seen)
            line = _encoded(document) + b"\n"
            content_hash.update(line)
            offsets.append(offsets[-1] + len(line))
            if ordinal < num_kept:
                _compare(lines, line, path)
            else:
                if ordinal == num_kept:
                    lines.seek(offsets[ordinal])
                lines.write(line)
                made = fields(document, ordinal, analyzer, spellings=config.spellings)
                writer.add_document(made)
                if (ordinal + 1) % config.checkpoint_documents == 0:
                    _checkpoint(lines, writer)
            columns.add(document)
            vectors.add(document)
            kinds[document.kind] += 1
            if ordinal % _SHOWN_EVERY == 0:
                advance(_SHOWN_EVERY)
        if len(seen) < num_kept:
            raise ValueError(_other_documents(path))
        lines.truncate(lines.seek(offsets[-1]))  # what was written and never committed
        _checkpoint(lines, writer)
    writer.wait_merging_threads()
    np.save(path / OFFSETS, np.frombuffer(offsets, dtype=np.int64))
    columns.save(path / COLUMNS)
    vectors.finish()
    return {"documents": len(seen), **dict(sorted(kinds.items()))}


def _check_id(document: Document, ordinal: int, seen: set[str]) -> None:
    if not document.doc_id or document.doc_id in seen:
        problem = "is used twice" if document.doc_id else "is empty"
        raise ValueError(f"document {ordinal}: doc_id {document.doc_id!r} {problem}")
    seen.add(document.doc_id)


def _compare(lines: BinaryIO, line: bytes, path: Path) -> None:
    if lines.readline() != line:
        raise ValueError(_other_documents(path))


def _other_documents(path: Path) -> str:
    return f"{path}: the unfinished build here is of other documents; delete the folder"


def _checkpoint(lines: BinaryIO, writer: tantivy.IndexWriter) -> None:
    """Lines first: what Tantivy has committed must be there to be shown."""
    lines.flush()
    os.fsync(lines.fileno())
    writer.commit()


def _encoded(document: Document) -> bytes:
    try:
        return jsonl.encode(document)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"document {document.doc_id!r}: text that is not valid Unicode ({error.reason}); "
            "replace lone surrogates, for example with medr_jax.retrieval.analysis.plain"
        ) from error
