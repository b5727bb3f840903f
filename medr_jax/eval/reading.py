"""Reads a question's text the way a person skims it: what is quoted, and what follows what.

The chain-blind agent has nothing but this. It looks for nouns ("gene", "disease", ...) and
quotation marks, not for whole sentences, and is wrong where the wording is not that simple.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a step leads to."""

    DISEASE = "disease"
    GENE = "gene"
    PHENOTYPE = "phenotype"
    PARENT = "parent term"
    INHERITANCE = "mode of inheritance"
    ONSET = "age of onset"
    COURSE = "clinical course"


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One step: to what, under which organ branch, and whether it says "other"."""

    target: Target
    branch: str = ""
    is_other: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A start, then moves; the last move (or the start alone) is what is asked for."""

    start: Target
    clues: tuple[str, ...]  # quoted texts that describe the start
    gene: str = ""  # the start's name where the question names a gene
    moves: tuple[Move, ...] = ()


_QUOTED = re.compile(r'"([^"]*)"')
_OPENING = re.compile(r'(?:according to|as stated in|in)\b[^,"]*,\s*', re.IGNORECASE)
_CLUE_DEFINITION = re.compile(r"\ba phenotype described as (<\d+>)")
_ANAPHORA = re.compile(r"\bthat (?:\w+ )?(?:disease|gene|phenotype)\b", re.IGNORECASE)
_PARENT = re.compile(r"\bphenotype is the parent term\b")
_CHUNKS = re.compile(r"(?<=[.?])\s+|\b(?:then|go) to\b")
_NAMED_GENE = re.compile(r"\bgene ([A-Z0-9][\w.@-]*\w)")
_CUES = re.compile(
    r"\b(?P<other>other )?(?P<target>" + "|".join(Target) + r")\b(?: under <(?P<branch>\d+)>)?"
)


def read_question(text: str) -> Reading | None:
    """The start and the moves, or None when no noun is recognised."""
    quotes: list[str] = []

    def mask(match: re.Match) -> str:
        quotes.append(match[1])
        return f"<{len(quotes) - 1}>"

    masked = _OPENING.sub("", _QUOTED.sub(mask, text), count=1)
    masked = _CLUE_DEFINITION.sub(r"\1", masked)
    masked = _PARENT.sub("parent term", masked)
    gene = _NAMED_GENE.search(masked)
    chunks = [chunk for chunk in _CHUNKS.split(masked) if _CUES.search(_ANAPHORA.sub("", chunk))]
    moves: list[Move] = []
    for chunk in chunks:
        found = [_move(match, quotes) for match in _CUES.finditer(_ANAPHORA.sub("", chunk))]
        moves += reversed(found)  # "the gene associated with the disease": disease comes first
    if not moves:
        return None
    branches = {move.branch for move in moves}
    return Reading(
        start=moves[0].target,
        clues=tuple(quote for quote in quotes if quote not in branches),
        gene=gene[1] if gene else "",
        moves=tuple(moves[1:]),
    )


def _move(match: re.Match, quotes: list[str]) -> Move:
    return Move(
        target=Target(match["target"]),
        branch=quotes[int(match["branch"])] if match["branch"] else "",
        is_other=bool(match["other"]),
    )
