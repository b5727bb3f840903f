"""Reader of OBO 1.2/1.4 ontologies (hp.obo and any other)."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')
_ESCAPE = re.compile(r"\\(.)")
_SCOPES = frozenset({"EXACT", "BROAD", "NARROW", "RELATED"})


class Synonym(msgspec.Struct, frozen=True):
    """Another string for a term; ``kind`` is the synonym type ("layperson", ...) or ""."""

    text: str
    scope: str  # EXACT, BROAD, NARROW, RELATED
    kind: str = ""


class Term(msgspec.Struct):
    """One ``[Term]`` stanza."""

    id: str
    name: str = ""
    definition: str = ""
    synonyms: list[Synonym] = []
    xrefs: list[str] = []
    alternative_ids: list[str] = []
    parents: list[str] = []
    replaced_by: list[str] = []
    obsolete: bool = False


class Ontology(msgspec.Struct):
    """The stanzas of one file by id, obsolete ones included, and the header's data-version."""

    version: str
    terms: dict[str, Term]

    def live(self) -> dict[str, Term]:
        """Terms that are not obsolete."""
        return {term_id: term for term_id, term in self.terms.items() if not term.obsolete}


def read_obo(path: Path) -> Ontology:
    """All terms of an OBO file.

    Raises:
        ValueError: no such file, bad UTF-8, a stanza without an id, a malformed line, or no
            terms at all; the message says file:line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such OBO file")
    version, terms, term = "", {}, None
    in_header = True
    for number, line in _lines(path):
        if line.startswith("["):
            in_header, term = False, None
            if line == "[Term]":
                term = Term(id="")
        elif in_header:
            if line.startswith("data-version:"):
                version = line.partition(":")[2].strip()
        elif term is not None:
            tag, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{path}:{number}: not a 'tag: value' line: {line[:80]!r}")
            try:
                _set(term, tag, value.strip())
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
            if tag == "id":
                if term.id in terms:
                    raise ValueError(f"{path}:{number}: term {term.id} is defined twice")
                terms[term.id] = term
            elif not term.id:
                raise ValueError(f"{path}:{number}: a [Term] must start with its id")
    if not terms:
        raise ValueError(f"{path}: holds no [Term]; is it an OBO file?")
    return Ontology(version=version, terms=terms)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line := line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error}") from error


def _set(term: Term, tag: str, value: str) -> None:
    if tag == "id":
        term.id = value
    elif tag == "name":
        term.name = _unescape(value)
    elif tag == "def":
        term.definition = _quoted(value)[0]
    elif tag == "synonym":
        term.synonyms.append(_synonym(value))
    elif tag == "xref":
        term.xrefs.append(_reference(value))
    elif tag == "alt_id":
        term.alternative_ids.append(value)
    elif tag == "is_a":
        term.parents.append(_reference(value))
    elif tag == "replaced_by":
        term.replaced_by.append(value)
    elif tag == "is_obsolete":
        term.obsolete = value == "true"


def _reference(value: str) -> str:
    """The id of ``HP:1 {source="x"} ! label``."""
    return value.split(maxsplit=1)[0] if value else value


def _synonym(value: str) -> Synonym:
    text, rest = _quoted(value)
    words = rest.partition("[")[0].split()
    # The scope may be left out; RELATED is then meant (OBO 1.4, 3.4.1).
    scope = words.pop(0) if words and words[0] in _SCOPES else "RELATED"
    return Synonym(text, scope, words[0] if words else "")


def _quoted(value: str) -> tuple[str, str]:
    match = _QUOTED.match(value)
    if not match:
        raise ValueError(f"expected a quoted text, found {value[:80]!r}")
    return _unescape(match[1]), match[2]


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: {"n": "\n", "t": "\t", "W": " "}.get(match[1], match[1]), text)
