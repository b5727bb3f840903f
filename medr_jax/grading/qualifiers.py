"""Qualifiers that may stand before or behind a name: "type 2", "left", "acute", "stage IIIB"."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from medr_jax.grading import quantities, wording

_CLASSES = {
    "side": "left right bilateral unilateral",
    "course": "acute chronic subacute",
    "cause": "primary secondary tertiary idiopathic",
    "severity": "mild moderate severe profound",
    "onset": "congenital neonatal infantile juvenile adult",
    "site": "proximal distal",
    "level": "upper lower",
    "phase": "systolic diastolic",
    "place": "anterior posterior medial lateral",
    "parent": "maternal paternal",
    "mode": "dominant recessive",
}
_CLASS_OF = {
    wording.fold_word(word): name for name, words in _CLASSES.items() for word in words.split()
}
_FLOATING = frozenset(
    map(wording.fold_word, ("type", "stage", "grade", "class", "subtype", "phase"))
)
_OTHER_NUMBERED = (
    "factor nerve group level category degree complex collagen vitamin angiotensin chromosome "
    "generation lead layer zone cohort arm version"
)
_NUMBERED = _FLOATING | frozenset(_OTHER_NUMBERED.split())
"""Words after which "II" is a number."""
_DROPPED = frozenset({"type", "form", "variant", "subtype"})
"""Said of a named subtype ("vascular type"), they add nothing."""

_ROMAN = re.compile(r"(?P<roman>x{0,3}(?:ix|iv|v?i{0,3}))(?P<letter>[a-f]?)\Z")
_ONE_ROMAN = re.compile(r"(?<=[\s/–-])[ivx]+(?=[a-f]?(?![a-z]))", re.I)
_PAIR = re.compile(
    r"\b(?:phase|stage|grade|class|type|level)s?\s+[ivx]+[a-f]?(?:\s*[/–-]\s*[ivx]+[a-f]?)+(?![a-z])",
    re.I,
)
_FREQUENCY = re.compile(r"\dx(?:day|week|month)\Z|every\d+h\Z")
_NUMERAL = re.compile(r"\d+[a-f]?\Z")
_VALUES = {"i": 1, "v": 5, "x": 10}


class Qualified(NamedTuple):
    """A name without its qualifiers, and these as a set of (class, value)."""

    name: tuple[str, ...]
    qualifiers: frozenset[tuple[str, str]]


def same_class(first: str, second: str) -> bool:
    """Whether two folded words are alternatives of one class, as "left" and "right" are."""
    return first in _CLASS_OF and _CLASS_OF[first] == _CLASS_OF.get(second)


def with_arabic_numerals(words: Sequence[str]) -> tuple[str, ...]:
    """Roman numerals as Arabic ones after a word that takes numbers, and at the end of a name.

    "type IIA" -> "type 2a", "factor VIII" -> "factor 8", "mucopolysaccharidosis II" -> "... 2".
    Elsewhere they stay: "IV iron", "X linked".
    """
    converted: list[str] = []
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        at_end = position == len(words) - 1 and len(before) > 3 and before.isalpha()
        if before in _NUMBERED or at_end:
            word = _arabic(word)
        if converted and re.fullmatch("[a-f]", word) and _is_number(converted, words, position):
            converted[-1] += word  # "2 A"
            continue
        converted.append(word)
    return tuple(converted)


def with_arabic_pairs(text: str) -> str:
    """ "Phase II/III" -> "Phase 2/3": Roman numerals side by side after a word that takes them."""
    return _PAIR.sub(
        lambda found: _ONE_ROMAN.sub(lambda one: _arabic(one[0].lower()), found[0]), text
    )


def _is_number(converted: Sequence[str], words: Sequence[str], position: int) -> bool:
    return converted[-1].isdigit() and position > 1 and words[position - 2] in _NUMBERED


def _arabic(word: str) -> str:
    found = _ROMAN.match(word)
    if not found or not found["roman"]:
        return word
    values = [_VALUES[char] for char in found["roman"]]
    total = sum(
        -value if later > value else value
        for value, later in zip(values, [*values[1:], 0], strict=True)
    )
    return f"{total}{found['letter']}"


def split(words: Sequence[str]) -> Qualified:
    """Takes out the qualifiers whose class occurs once, so that their place does not matter.

    Of "left atrial and right ventricular" none is taken out: which side belongs where would be
    lost.
    """
    name: list[str] = []
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(words):
        word, after = words[position], words[position + 1] if position + 1 < len(words) else ""
        if word in _FLOATING and (_NUMERAL.match(after) or re.fullmatch("[a-h]", after)):
            found.append((word, after))
            position += 2
            continue
        if kind := _CLASS_OF.get(word) or _kind_of_dose(word):
            found.append((kind, word))
        elif position == len(words) - 1 and name and _is_type(words[position - 1], word):
            found.append(("type", word))
        elif not (word in _DROPPED and name and len(words) > 2):
            name.append(word)
        position += 1
    times = Counter(kind for kind, _ in found)
    if max(times.values(), default=0) > 1:
        return Qualified(tuple(words), frozenset())
    return Qualified(tuple(name), frozenset(found))


def _kind_of_dose(word: str) -> str | None:
    """A dose, its route and its frequency may stand in any order and before or behind the drug."""
    if quantities.has_unit(word):
        return "quantity"
    if word in wording.ROUTES.values():
        return "route"
    return "frequency" if _FREQUENCY.match(word) else None


def _is_type(before: str, word: str) -> bool:
    """ "neurofibromatosis 1" and "hepatitis A" leave the word "type" out."""
    named = len(before) > 3 and before.isalpha() and before not in _NUMBERED
    return named and bool(_NUMERAL.match(word) or re.fullmatch("[a-h]", word))
