"""All the ways in which one answer may be written, as keys: equal answers share one.

Everything here is a rewriting that keeps the meaning. Nothing is ever dropped because it is
not understood, so a negation, another type or an extra word keeps two answers apart.
"""

import functools
import itertools
import re
from collections.abc import Iterator

from medr_jax.grading import qualifiers, wording
from medr_jax.grading.readings import readings
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

_GENE_NOUNS = frozenset({"gene", "mutation", "variant"})
_IN_GENE = frozenset((noun, link) for noun in ("mutation", "variant") for link in ("in", "of"))
_LEGAL_FORMS = (
    "inc incorporated ltd limited llc corp corporation company gmbh plc pharmaceuticals "
    "pharmaceutical pharma laboratories"
)
_DEGREES = "md phd mph mbbs msc facp facs"
_AFTER_NAMES = frozenset(map(wording.fold_word, f"{_LEGAL_FORMS} {_DEGREES}".split()))
"""What may be left out behind the name of a company or a person."""
_BAND = re.compile(r"\d{1,2}[pq]")


@functools.lru_cache(maxsize=1 << 16)
def forms(text: str) -> frozenset[Form]:
    """The keys of ``text``; none for a text without words."""
    found = set()
    for reading in readings(plain(text)):
        found.update(_forms(read(reading)))
    return frozenset(found)


def _forms(terms: tuple[str, ...]) -> Iterator[Form]:
    words = tuple(term for term in terms if term != COMMA)
    if not words:
        return
    core = _without_class_noun(words)
    if not _UNGLUED & set(core):
        yield ("glued", _glued(core))
    for arranged in _arrangements(terms):
        yield _form(arranged)


def _form(words: tuple[str, ...]) -> Form:
    words = _without_class_noun(words)
    if len(words) == 1:
        words = wording.WHOLE_ANSWERS.get(words[0], words)
    words = qualifiers.with_arabic_numerals(words)
    if _LINKING & set(words):
        return ("ordered", words, frozenset())
    return ("ordered", *qualifiers.split(words))


def _without_class_noun(words: tuple[str, ...]) -> tuple[str, ...]:
    """Leaves out a noun that only says what kind of thing is named.

    "FGFR2 gene" and "mutations in FGFR2" name FGFR2, "AD inheritance pattern" says what "AD"
    says, "chromosome 22q11" is 22q11, "Pfizer Inc." is Pfizer.
    """
    kept = words[2:] if words[:2] in _IN_GENE else words
    if len(kept) > 1 and kept[-1] == "gene":
        return kept[:-1]
    if len(kept) == 2 and kept[1] in _GENE_NOUNS:
        return kept[:1]
    if len(kept) == 2 and kept[0] == "gene" and re.search(r"\d", kept[1]):
        return kept[1:]  # "gene FGFR2", but not "gene therapy"
    if kept[-1] in _GENE_NOUNS and any(word.startswith("variant ") for word in kept[:-1]):
        return kept[:-1]  # "EGFR T790M mutation"
    while len(kept) > 1 and kept[-1] in _AFTER_NAMES:
        kept = kept[:-1]
    for noun in (("inheritance", "pattern"), ("inheritance",)):
        if len(kept) > len(noun) and kept[-len(noun) :] == noun:
            return kept[: -len(noun)]
    if len(kept) > 1 and kept[0] == "chromosome" and _BAND.match(kept[1]):
        return kept[1:]
    return kept or words


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
