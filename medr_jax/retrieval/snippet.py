"""What of a document is shown: the parts that answer the query, within a budget of words."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from medr_jax.retrieval.analysis import Analyzer, plain
from medr_jax.retrieval.corpus import ABSENT, Document
from medr_jax.retrieval.query import ParsedQuery
from medr_jax.retrieval.segments import MORE, Segment, segments_of, without_counts

_NAMED_SHARE = 0.6  # of an item's weight that the query must hold to name the item
_LABEL_SHARE = 0.5
_NEGLIGIBLE_SHARE = 0.15  # of the query's weight
_MAX_CHARS = 50_000  # of a document that are looked at for a snippet
_CHARS_PER_WORD = 30  # bounds what one "word" without spaces can take
_MIN_PROSE_WORDS = 5
_ALL = -1

Terms = tuple[str, ...]
Choice = tuple[int, int]
"""Number of a segment and of its piece, or ``_ALL`` of its pieces."""


class _Candidate(NamedTuple):
    choice: Choice
    terms: frozenset[str]  # those of the query that it holds
    share: float  # of its own weight that these make up


class PreparedDocument:
    """A document with its text cut and analyzed, worth keeping while it is often asked for."""

    __slots__ = ("document", "label_terms", "piece_terms", "segments", "title_terms")

    def __init__(self, document: Document, analyzer: Analyzer) -> None:
        self.document = document
        self.segments = _first_chars(segments_of(document), _MAX_CHARS)
        terms = analyzer.name_terms
        self.title_terms = frozenset(terms(document.title))
        self.label_terms = [terms(segment.label) for segment in self.segments]
        self.piece_terms = [
            [terms(without_counts(piece)) for piece in segment.pieces] for segment in self.segments
        ]


def snippet(
    prepared: PreparedDocument,
    query: ParsedQuery,
    weight_of: Callable[[str], float],
    max_words: int,
) -> str:
    """At most ``max_words`` words (marks of omission not counted) that match the query best.

    Pieces that the query names come first, without their labels where room is short. Terms of
    the title count as said; what remains is looked for in items that the query nearly names,
    then in labels (whose items follow in order), then in any piece, and each choice is the one
    that adds the most weight. If the title alone says all of it, the document is shown from its
    start; if nothing matches, the snippet is empty.

    Args:
        weight_of: inverse document frequency of a term.
    """
    wanted = {t: w for t, w in query.weights.items() if t not in prepared.title_terms}
    choices = _named(prepared, query.phrase_terms)
    if not choices and not wanted:
        return whole_text(prepared.segments, max_words, prose_share=0.5)
    for row, column in choices:
        for term in prepared.piece_terms[row][column]:
            wanted.pop(term, None)
    segments = _unlabelled_if_tight(prepared.segments, choices, max_words)
    choices += _choose(prepared, query.weights.keys(), wanted, weight_of)
    return _render(segments, _fit(segments, choices, max_words), max_words)


def whole_text(segments: list[Segment], max_words: int, prose_share: float = 1.0) -> str:
    """Segments in order up to ``max_words`` words; prose gets its share unless it stands alone."""
    if not any(segment.listed for segment in segments):
        prose_share = 1.0
    choices = [(number, _ALL) for number in range(len(segments))]
    return _render(segments, _fit(segments, choices, max_words, prose_share), max_words)


def _named(prepared: PreparedDocument, phrases: frozenset[Terms]) -> list[Choice]:
    """Pieces that are a phrase of the query, each statement once.

    An item stands under every branch that holds it; that it is reported absent is another
    statement than that it is present.
    """
    found: dict[tuple[Terms, bool], Choice] = {}
    for row, pieces in enumerate(prepared.piece_terms if phrases else ()):
        for column, terms in enumerate(pieces):
            if terms in phrases:
                absent = prepared.segments[row].label == ABSENT
                found.setdefault((terms, absent), (row, column))
    return list(found.values())


def _unlabelled_if_tight(
    segments: list[Segment], named: list[Choice], max_words: int
) -> list[Segment]:
    """Labels give way where they would push out what the query names, "Reported absent" never."""
    rows = {row for row, _ in named}
    words = [segments[row].label for row in rows]
    words += [segments[row].pieces[column] for row, column in named]
    if sum(len(text.split()) for text in words) <= max_words:
        return segments
    return [
        segment._replace(label="") if row in rows and segment.label != ABSENT else segment
        for row, segment in enumerate(segments)
    ]


def _choose(
    prepared: PreparedDocument,
    asked: Iterable[str],
    wanted: dict[str, float],
    weight_of: Callable[[str], float],
) -> list[Choice]:
    asked = frozenset(asked)
    floor = _NEGLIGIBLE_SHARE * math.fsum(wanted.values())
    pieces = list(_candidates(prepared.piece_terms, asked, wanted, weight_of))
    listed = [segment.listed for segment in prepared.segments]
    named = [c for c in pieces if listed[c.choice[0]] and c.share >= _NAMED_SHARE]
    labels = [
        candidate._replace(choice=(candidate.choice[1], _ALL))
        for candidate in _candidates([prepared.label_terms], asked, wanted, weight_of)
        if candidate.share >= _LABEL_SHARE
    ]
    choices: list[Choice] = []
    for candidates, least in ((named, 0.0), (labels, floor), (pieces, floor)):
        choices += _cover(candidates, wanted, least)
    return choices


def _candidates(
    rows: Iterable[list[Terms]],
    asked: frozenset[str],
    wanted: Mapping[str, float],
    weight_of: Callable[[str], float],
) -> Iterator[_Candidate]:
    """Texts that hold something wanted, by (row, column)."""
    unmet = frozenset(wanted)
    for row, columns in enumerate(rows):
        for column, terms in enumerate(columns):
            if unmet.isdisjoint(terms):
                continue
            held = asked.intersection(terms)
            whole = math.fsum(map(weight_of, set(terms)))
            yield _Candidate((row, column), held, math.fsum(map(weight_of, held)) / whole)


def _cover(
    candidates: list[_Candidate], wanted: dict[str, float], floor: float
) -> Iterator[Choice]:
    """Choices that add the most weight, one by one; takes their terms out of ``wanted``."""
    while wanted:
        gain, _, _, best = max(
            (
                (math.fsum(wanted.get(term, 0.0) for term in c.terms), c.share, -order, c)
                for order, c in enumerate(candidates)
            ),
            default=(0.0, 0.0, 0, None),
        )
        if best is None or gain <= floor:
            return
        for term in best.terms:
            wanted.pop(term, None)
        yield best.choice


def _fit(
    segments: list[Segment], choices: list[Choice], max_words: int, prose_share: float = 1.0
) -> dict[int, list[str]]:
    """Segment number -> its pieces that the budget allows, taken in the order of choice."""
    shown: dict[int, dict[int, str]] = {}
    left, prose_left = max_words, int(max_words * prose_share)
    for number, wanted_piece in choices:
        segment = segments[number]
        every = range(len(segment.pieces))
        for piece in every if wanted_piece == _ALL else (wanted_piece,):
            if piece in shown.get(number, ()):
                continue
            room = left if number in shown else left - len(segment.label.split())
            room = room if segment.listed else min(room, prose_left)
            if room <= 0:
                break
            words = segment.pieces[piece].split()
            if len(words) > room:
                # An item is shown whole or not at all, unless there is nothing else to show.
                if shown and (segment.listed or room < _MIN_PROSE_WORDS):
                    break
                words = [*words[:room], MORE]
            left -= len(words) + (0 if number in shown else len(segment.label.split()))
            prose_left -= 0 if segment.listed else len(words)
            shown.setdefault(number, {})[piece] = " ".join(words)
    return {number: list(shown[number].values()) for number in sorted(shown)}


def _render(segments: list[Segment], shown: dict[int, list[str]], max_words: int) -> str:
    parts = []
    for number, pieces in shown.items():
        segment = segments[number]
        parts.append(segment.text(pieces))
    text = " ".join(parts)
    limit = _CHARS_PER_WORD * max(max_words, 0)
    return plain(text if len(text) <= limit else f"{text[:limit]}{MORE}")


def _first_chars(segments: list[Segment], max_chars: int) -> list[Segment]:
    if sum(len(piece) for segment in segments for piece in segment.pieces) <= max_chars:
        return segments
    kept, left = [], max_chars
    for segment in segments:
        pieces = []
        for piece in segment.pieces:
            if left <= 0:
                break
            pieces.append(piece[:left])
            left -= len(piece)
        if pieces:
            kept.append(segment._replace(pieces=tuple(pieces)))
    return kept
