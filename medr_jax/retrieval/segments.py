"""The parts that a document's text is cut at."""

import re
from typing import NamedTuple

from medr_jax.retrieval.corpus import DEFINITION, SYNONYMS, Document

MORE = "..."
"""Stands where something was left out."""

_MAX_LABEL_CHARS = 80
_NO_LABEL = re.compile(r"[:;.\n]")
_COUNTS = re.compile(r" \([\d/.%]+\)$")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"(])")
_PROSE_LABELS = frozenset({DEFINITION})


class Segment(NamedTuple):
    """A statement: ``"label: piece; piece."`` (listed) or ``"label: Sentence. Sentence."``."""

    label: str  # "" = none
    pieces: tuple[str, ...]
    listed: bool

    def text(self, pieces: list[str]) -> str:
        """The statement with these of its pieces, marked where some are missing."""
        cut = pieces[-1].endswith(MORE)
        complete = len(pieces) == len(self.pieces) and not cut
        shown = pieces if complete or cut else [*pieces, MORE]
        head = f"{self.label}: " if self.label else ""
        if not self.listed:
            return head + " ".join(shown)
        return f"{head}{'; '.join(shown)}{'.' if complete else ''}"


def parse_segment(text: str) -> Segment:
    """The parts of one segment of a document."""
    label, colon, rest = text.partition(": ")
    if not colon or len(label) > _MAX_LABEL_CHARS or _NO_LABEL.search(label):
        label, rest = "", text
    elif label not in _PROSE_LABELS:
        items = tuple(item for item in rest.removesuffix(".").split("; ") if item)
        # A name may hold a full stop ("St. Louis ..."): more items than sentences is a list.
        if len(items) > rest.count(". "):
            return Segment(label, items, listed=True)
    return Segment(label, tuple(part for part in _SENTENCE_END.split(rest) if part), listed=False)


def segments_of(document: Document) -> list[Segment]:
    """All segments, the synonyms as a last one."""
    parsed = [parse_segment(text) for text in document.segments]
    if document.synonyms:
        parsed.append(Segment(SYNONYMS, document.synonyms, listed=True))
    return [segment for segment in parsed if segment.pieces]


def indexed_text(segment: Segment) -> str:
    """What of a segment is searched: all but the counts."""
    return " ; ".join([segment.label, *map(without_counts, segment.pieces)])


def without_counts(item: str) -> str:
    """``"Myopia"`` of ``"Myopia (14/15)"``."""
    return _COUNTS.sub("", item) if item.endswith(")") else item
