"""PubMedQA's JSON: abstracts under their PMIDs, without the question and the answer.

The question is usually the article's title; indexing it would give the answer away.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from medr_jax.retrieval.authority import UNGRADED
from medr_jax.retrieval.corpus import Document, list_segment, prose_segment
from medr_jax.retrieval.sources.base import Item, Skipped, iso_date, one_line
from medr_jax.retrieval.sources.json_stream import members

SOURCE = "PubMedQA"
LICENCE = "MIT"


class AskedAbstract(NamedTuple):
    """A question and the abstract that it was made of."""

    question: str
    doc_id: str


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Abstracts in the order of the file."""
    for where, pmid, record in members(path, skipped):
        try:
            yield _document(pmid, record)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            skipped.add(where, f"not a PubMedQA record: {type(error).__name__} {error}")


def questions(path: Path) -> Iterator[AskedAbstract]:
    """Questions of the file's usable records, each with the abstract to find."""
    for _, pmid, record in members(path, Skipped()):
        if isinstance(record, dict) and record.get("QUESTION") and record.get("CONTEXTS"):
            yield AskedAbstract(one_line(record["QUESTION"]), f"PMID:{pmid}")


def _document(pmid: str, record: dict[str, Any]) -> Document:
    contexts = [one_line(text) for text in record["CONTEXTS"]]
    labels = record.get("LABELS") or [""] * len(contexts)
    if not (pmid.isascii() and pmid.isdecimal() and any(contexts)):
        raise ValueError("no PMID or no abstract")
    segments = [
        prose_segment(label.capitalize(), text)
        for label, text in zip(labels, contexts, strict=True)
        if text
    ]
    if headings := record.get("MESHES"):
        segments.append(list_segment("MeSH terms", headings))
    return Document(
        doc_id=f"PMID:{pmid}",
        kind="article",
        title=f"PubMed abstract {pmid}",
        segments=tuple(segments),
        identifiers=(f"PMID:{pmid}",),
        date=iso_date(str(record.get("YEAR") or "")),
        source=SOURCE,
        licence=LICENCE,
        authority=UNGRADED,
    )
