"""One JSON object a line: our own documents, or any records with an id and a text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from medr_jax.retrieval.authority import UNGRADED
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.sources.base import UNREADABLE, Item, Skipped, one_line, opened

_IDS = ("doc_id", "id", "_id")
_TEXTS = ("text", "body", "contents", "abstract")


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Documents in the order of the file (``.jsonl``, ``.jsonl.gz``, ``.zip``)."""
    for where, record in objects(path, skipped):
        try:
            yield document(record, source=path.name.partition(".")[0])
        except (AttributeError, TypeError, ValueError) as error:
            skipped.add(where, error)


def objects(path: Path, skipped: Skipped) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) of each line that holds one."""
    for name, file in opened(path, skipped):
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield f"{name}:{number}", msgspec.json.decode(line, type=dict[str, Any])
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    skipped.add(f"{name}:{number}", error)
        except UNREADABLE as error:
            skipped.add(f"{name}: after line {number}", f"the rest cannot be read: {error}")


def document(record: dict[str, Any], *, source: str) -> Document:
    """A ``Document`` as it is, or one made of an id (doc_id, id, _id) and a text.

    The text is ``text``, ``body``, ``contents`` or ``abstract``; fields that a document has
    by the same name are kept, others are not used.

    Raises:
        ValueError: there is no id or no text, or a field is of another type.
    """
    if "segments" in record:
        return msgspec.convert(record, Document)
    doc_id = next((str(record[key]) for key in _IDS if record.get(key) not in (None, "")), "")
    title = one_line(record.get("title"))
    body = next((one_line(record[key]) for key in _TEXTS if record.get(key)), "")
    if not doc_id:
        raise ValueError(f"no id; give one of {', '.join(_IDS)}")
    if not (title or body):
        raise ValueError(f"document {doc_id!r} has neither a title nor any of {', '.join(_TEXTS)}")
    named = {key: record[key] for key in Document.__struct_fields__ if key in record}
    return msgspec.convert(
        {"kind": "document", "source": source, "authority": UNGRADED, "identifiers": [doc_id]}
        | named
        | {"doc_id": doc_id, "title": title, "segments": [body] if body else []},
        Document,
    )
