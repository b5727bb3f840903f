"""What a cited document gives for an answer: typed statements with identifiers."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from medr_jax.grading import match
from medr_jax.retrieval.corpus import Document
from medr_jax.types import Kind, Record

PUBLICATION_PREFIXES = ("PMID:", "PMC", "DOI:")


class CitationKind(StrEnum):
    """How far a citation goes."""

    DATABASE_ASSERTION = "database-assertion"  # a curated record states it
    TEXT_SENTENCE = "text-sentence"  # a text that was read states it
    PUBLICATION_ID = "publication-id"  # named as a source by the record; not read here


class Citation(Record):
    """One piece of evidence."""

    kind: CitationKind
    identifier: str
    title: str = ""
    statement: str = ""  # "" for a publication that is only named


def citations(document: Document, answer: str, asked: Sequence[str] = ()) -> Iterator[Citation]:
    """What the document states about the answer, then the publications it names.

    A document about an entity of the graph is a database's record; any other is a text.
    ``asked``: words that the question quotes; of a document about the answer itself, the
    statements that hold them are what speaks for it.
    """
    curated = document.kind in set(map(str, Kind))
    kind = CitationKind.DATABASE_ASSERTION if curated else CitationKind.TEXT_SENTENCE
    for statement in _stating(document, answer, asked):
        yield Citation(
            kind=kind, identifier=document.doc_id, title=document.title, statement=statement
        )
    for reference in document.references:
        if reference.upper().startswith(PUBLICATION_PREFIXES):
            yield Citation(kind=CitationKind.PUBLICATION_ID, identifier=reference)


def _stating(document: Document, answer: str, asked: Sequence[str]) -> list[str]:
    """The segments that speak for the answer, else the title where it names it."""
    is_about = match.words(document.title) == match.words(answer)
    wanted = asked if is_about else [answer]
    found = [segment for segment in document.segments if match.mentions(segment, wanted)]
    if not found and match.mentions(document.title, [answer]):
        return [document.title]
    return found
