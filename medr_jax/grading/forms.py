"""All the ways in which one answer may be written, as keys: equal answers share one.

Everything here is a rewriting that keeps the meaning. Nothing is ever dropped because it is
not understood, so a negation, another type or an extra word keeps two answers apart.
"""

import functools
import itertools
import re
from collections.abc import Iterator

from medr_jax.grading import qualifiers, wording
from medr_jax.grading.abbreviations import is_abbreviation
from medr_jax.grading.terms import COMMA, NEGATIONS, plain, read

Form = tuple
"""A hashable key; two texts mean the same when the sets of their forms meet."""

_LINKS = (
    "and or with in from to due after before by than because between for on at versus vs if "
    "rather except unless but then into during > < ≥ ≤ ±"
)
_LINKING = NEGATIONS | frozenset(_LINKS.split())
"""Words that say which part belongs to which: the order of such a text is kept."""
_UNGLUED = _LINKING | {"a", "an", "is", "of", "un", "im", "dis", "mal"}
"""Words that change a meaning when they are glued to the next ("in active")."""

_NOUNS = (
    "answer|diagnosis|disease|disorder|condition|syndrome|gene|drug|medication|medicine|treatment"
    "|dose|dosage|date|inheritance|mode of inheritance|inheritance pattern|phenotype|result|option"
    "|choice|value|number|identifier|id|year|entity|ingredient|company|agent|variant|mutation|cause"
)
_LEAD_IN = re.compile(
    r"^(?:(?:so|thus|therefore|hence|overall|in conclusion)[,:]?\s+)?"
    rf"(?:(?:(?:the|my|our|this|its|a)\s+)?(?:(?:final|correct|best|most likely|likely|probable"
    r"|causative|causal|responsible|associated|affected|underlying|recommended|start|approval"
    rf"|patent expiration|active)\s+)*(?:{_NOUNS})(?:\s+(?:here|in question))?"
    r"(?:\s+(?:is|are|was|were|would be)\s*:?\s+|\s*[:=]\s*)"
    r"|(?:it|this|that|they)\s+(?:is|are|was|were)\s+)",
    re.I,
)
_ARTICLE = re.compile(r"^(?:an?\s+|An\s+|A\s+(?=[a-z]{3}))")
_BRACKETS = re.compile(r"^(?P<outside>[^()]+?)\s*\((?P<inside>[^()]+)\)$")
_CONTRAST = re.compile(
    r"^(?P<said>.+?)(?:,?\s+(?P<plain>rather than|instead of|as opposed to)\s+(?P<other>.+)"
    r"|,\s*(?:and\s+|but\s+)?not\s+(?P<second>.+)|\s*\((?:and\s+|but\s+)?not\s+(?P<third>.+)\))$",
    re.I,
)
_RELATIVE = re.compile(
    r"^(?P<said>[^,]+),\s+(?:which|who|because|since|as it)\s+(?P<rest>.+)$", re.I
)


@functools.lru_cache(maxsize=1 << 16)
def forms(text: str) -> frozenset[Form]:
    """The keys of ``text``; none for a text without words."""
    found = set()
    for reading in _readings(strip_lead_in(plain(text))):
        found.update(_forms(read(reading)))
    return frozenset(found)


def strip_lead_in(text: str) -> str:
    """The text without "The answer is", an article in front and a full stop behind."""
    while True:
        shorter = _LEAD_IN.sub("", text.strip().strip("\"'").rstrip(" .;"), count=1)
        if shorter == text:
            return _ARTICLE.sub("", text)
        text = shorter


def _readings(text: str) -> Iterator[str]:
    """The text, and what is left of it without an abbreviation, a contrast or a relative clause."""
    yield text
    if (found := _BRACKETS.match(text)) and _is_gloss(found["outside"], found["inside"]):
        yield found["outside"]
        yield found["inside"]
    if found := _CONTRAST.match(text):
        other = found["other"] or found["second"] or found["third"]
        if found["plain"] or _is_alternative(found["said"], other):
            yield found["said"]
    if (found := _RELATIVE.match(text)) and not NEGATIONS & set(read(found["rest"])):
        yield found["said"]


def _is_gloss(outside: str, inside: str) -> bool:
    return is_abbreviation(inside, outside) or is_abbreviation(outside, inside)


def _is_alternative(said: str, other: str) -> bool:
    """Whether "not ``other``" rejects a rival of what was said, and says nothing about it.

    "Marfan syndrome, not Loeys-Dietz syndrome" does; "Marfan syndrome, not confirmed" does not.
    """
    mine, theirs = read(said), read(other)
    if set(mine) & set(theirs):
        return True
    if any(qualifiers.same_class(first, second) for first in mine for second in theirs):
        return True
    return len(mine) == len(theirs) == 1 and all(
        re.search(r"\d", word) for word in (*mine, *theirs)
    )


def _forms(terms: tuple[str, ...]) -> Iterator[Form]:
    words = tuple(term for term in terms if term != COMMA)
    if not words:
        return
    if not _UNGLUED & set(words):
        yield ("glued", _glued(words))
    for arranged in _arrangements(terms):
        yield _form(arranged)


def _form(words: tuple[str, ...]) -> Form:
    words = _without_class_noun(words)
    words = qualifiers.with_arabic_numerals(wording.INHERITANCE.get(words, words))
    if _LINKING & set(words):
        return ("ordered", words, frozenset())
    return ("ordered", *qualifiers.split(words))


def _without_class_noun(words: tuple[str, ...]) -> tuple[str, ...]:
    """ "FGFR2 gene" names what "FGFR2" names; "AD inheritance pattern" says what "AD" says."""
    if len(words) == 2 and "gene" in words:
        return tuple(word for word in words if word != "gene")
    for noun in (("inheritance", "pattern"), ("inheritance",)):
        if len(words) > len(noun) and words[-len(noun) :] == noun:
            return words[: -len(noun)]
    return words


def _glued(words: tuple[str, ...]) -> str:
    """The words without spaces, except between digits: "COVID 19" is "COVID19", "1 1" not 11.

    Quantities, dates and identifiers hold a space of their own and are set apart.
    """
    glued = words[0]
    for before, word in itertools.pairwise(words):
        apart = " " in before or " " in word or (before[-1].isdigit() and word[0].isdigit())
        glued += f"|{word}" if apart else word
    return glued


def _arrangements(terms: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Word orders that mean the same: as written, "A, B" as "B A", "A of B" as "B A"."""
    yield tuple(term for term in terms if term != COMMA)
    parts = [
        tuple(group)
        for is_comma, group in itertools.groupby(terms, lambda t: t == COMMA)
        if not is_comma
    ]
    if 2 <= len(parts) <= 3 and not _LINKING & set(terms):
        for order in itertools.permutations(parts):
            yield tuple(itertools.chain.from_iterable(order))
    if len(parts) == 1 and terms.count("of") == 1 and not _LINKING & set(terms):
        position = terms.index("of")
        if 0 < position < len(terms) - 1:
            yield (*terms[position + 1 :], *terms[:position])
