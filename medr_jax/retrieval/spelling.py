"""Other usual spellings of symbols in medical text, indexed beside the text itself.

The words of "IL-6", "5-HT", "NF-κB" or "C677T" are one name that is written in several ways. A
document that has one of them is given the words of the others, so that a query needs no
expansion: documents say "IL-6", queries "IL6", and the other way round.
"""

import re
from collections.abc import Iterator

from medr_jax.retrieval.analysis import GREEK_NAMES, fold

_GREEK_NAME = "|".join(sorted(set(GREEK_NAMES), key=len, reverse=True))
_HYPHENS = "-\u2010\u2011\u2012\u2013\u2212/"
_COMPOUND = re.compile(rf"[^\W_]+(?:[{_HYPHENS}][^\W_]+){{0,4}}")
_SPACED = (
    re.compile(r"\b([A-Z]{1,5}[a-z]?) (\d{1,3}[A-Za-z]?)\b"),  # "IL 6"
    re.compile(r"\b(\d) ([A-Z]{2,4})\b"),  # "5 HT"
    re.compile(r"\b(alpha|beta|gamma|kappa) +([a-z]{5,})\b"),  # "beta blocker"
)
_ATOM = re.compile(r"[^\W\d_]+|\d+")
_JOINED = re.compile(r"^(alpha|beta|gamma|kappa)(?=[a-z]{5,}$)")  # "betablocker"
_CAPITAL_GREEK = re.compile(rf"[A-Z](?:{_GREEK_NAME})")
_INITIALS = {name: name[0] for name in GREEK_NAMES} | {"theta": "t", "omega": "o"}

_NUCLEOTIDES = re.compile(
    r"\b(?:c\.)?(\d{1,5})\s?([ACGT])\s?(?:>|\u2192|->|/)\s?([ACGT])\b|\b([ACGT])(\d{2,5})([ACGT])\b"
)
_AMINO_ACIDS = dict(
    zip(
        "ARNDCQEGHILKMFPSTWYV*",
        (
            *("ala", "arg", "asn", "asp", "cys", "gln", "glu", "gly", "his", "ile", "leu"),
            *("lys", "met", "phe", "pro", "ser", "thr", "trp", "tyr", "val", "ter"),
        ),
        strict=True,
    )
)
_LETTERS = {name: letter.lower() for letter, name in _AMINO_ACIDS.items() if letter != "*"}
_SUBSTITUTION = re.compile(r"\b([ARNDCQEGHILKMFPSTWYV])(\d{1,5})([ARNDCQEGHILKMFPSTWYV])\b")
_LONG_SUBSTITUTION = re.compile(
    rf"\b(?:p\.)?\(?({'|'.join(_LETTERS)})(\d{{1,5}})({'|'.join(_LETTERS)})\b", re.IGNORECASE
)
_MAX_COMPOUND_CHARS = 40


def other_spellings(text: str) -> str:
    """Words to be indexed beside ``text``, each once: "il6" for "IL-6", "il 6" for "IL6"."""
    words = [*_of_compounds(text), *_of_variants(text)]
    return " ".join(dict.fromkeys(words))


def _of_compounds(text: str) -> Iterator[str]:
    for match in _COMPOUND.finditer(text):
        compound = match.group()
        if len(compound) <= _MAX_COMPOUND_CHARS and _is_symbol(compound):
            yield from _spellings(compound)
    folded = fold(text)
    for pattern in _SPACED:
        for first, second in pattern.findall(folded):
            yield f"{first}{second}".lower()


def _is_symbol(compound: str) -> bool:
    """Whether it mixes letters with digits, Greek or capitals behind a hyphen: no plain word."""
    if compound.isdecimal() or (compound.isascii() and compound.isalpha()):
        return bool(_CAPITAL_GREEK.search(compound) or _JOINED.match(compound))
    letters = any(c.isalpha() for c in compound)
    digits = any(c.isdigit() for c in compound)
    folded = fold(compound)
    return letters and (digits or folded != compound or _has_greek_part(compound))


def _has_greek_part(compound: str) -> bool:
    return any(part.lower() in _INITIALS for part in re.split(f"[{_HYPHENS}]", compound))


def _spellings(compound: str) -> Iterator[str]:
    """Its parts, each part joined, all of it joined; Greek by name and by Latin letter."""
    joined_by_name, joined_by_letter = "", ""
    for part in re.split(f"[{_HYPHENS}]", compound):
        atoms = [atom.lower() for word in _split_greek(part) for atom in _ATOM.findall(word)]
        by_name = "".join(atoms)
        by_letter = "".join(_INITIALS.get(atom, atom) for atom in atoms)
        yield from atoms
        yield by_name
        yield by_letter
        joined_by_name += by_name
        joined_by_letter += by_letter
    yield joined_by_name
    yield joined_by_letter


def _split_greek(part: str) -> list[str]:
    """Words of a part with Greek letters and Greek names behind capitals set apart."""
    spaced = re.sub(rf"(?<=[A-Z])({_GREEK_NAME})(?=[A-Z\d]|$)", r" \1 ", fold(part))
    spaced = re.sub(rf"^({_GREEK_NAME})(?=[A-Z\d])", r"\1 ", spaced)
    return _JOINED.sub(r"\1 ", spaced).split()


def _of_variants(text: str) -> Iterator[str]:
    """C677T, 677C>T and c.677C>T; R117H and p.Arg117His."""
    for match in _NUCLEOTIDES.finditer(text):
        place, old, new, old_first, place_between, new_last = match.groups()
        place, old, new = place or place_between, old or old_first, new or new_last
        yield f"{old}{place}{new} {place}{old} {new}".lower()
    for match in _SUBSTITUTION.finditer(text):
        old, place, new = match.groups()
        yield f"{_AMINO_ACIDS[old]}{place}{_AMINO_ACIDS[new]}"
    for match in _LONG_SUBSTITUTION.finditer(text):
        old, place, new = match.groups()
        yield f"{_LETTERS[old.lower()]}{place}{_LETTERS[new.lower()]}"
