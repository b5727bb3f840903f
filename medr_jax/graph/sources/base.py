"""What every source reader returns, and what readers share."""

import csv
import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from medr_jax.graph.columns import EdgeBlock
from medr_jax.graph.names import fold
from medr_jax.types import Edge, Entity, Kind


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A row that was left out, and why."""

    file: str
    line: int  # 1-based; of JSON and XML the number of the record
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclasses.dataclass(kw_only=True, slots=True)
class SourceRecords:
    """Entities and stated edges of one source, in the source's own identifiers.

    ``Entity.synonyms`` holds the source's EXACT synonyms, ambiguous ones included:
    ``normalize`` is what drops those. ``related_names`` are strings that the source attaches
    to an entity more loosely; they are never used as a name, only to see what is ambiguous.
    A source with millions of edges gives them as ``blocks``.
    """

    snapshot: str  # "HPO 2025-01-16"
    entities: list[Entity]
    edges: list[Edge]
    blocks: list[EdgeBlock] = dataclasses.field(default_factory=list)
    related_names: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    alternative_ids: dict[str, str] = dataclasses.field(default_factory=dict)  # old -> live
    counts: dict[str, int] = dataclasses.field(default_factory=dict)  # rows left out, and why
    problems: list[Problem] = dataclasses.field(default_factory=list)  # bad rows, left out

    def problem(self, path: Path, line: int, message: object) -> None:
        """Notes a bad row."""
        self.problems.append(Problem(file=str(path), line=line, message=str(message)))


class Collector:
    """Gathers entities, each once, and edges that share origin and licence."""

    def __init__(self, snapshot: str, *, origin: str, licence: str) -> None:
        self.records = SourceRecords(snapshot=snapshot, entities=[], edges=[])
        self._shared = {"origin": origin, "licence": licence}
        self._known: set[str] = set()

    def entity(self, entity_id: str, kind: Kind, name: str, **fields) -> str:
        """Adds the entity unless its id was added before; returns the id."""
        if entity_id not in self._known:
            self._known.add(entity_id)
            found = Entity(id=entity_id, kind=kind, name=one_line(name), **fields)
            self.records.entities.append(found)
        return entity_id

    def named(self, kind: Kind, name: str, **fields) -> str:
        """An entity that the source knows by name alone; see ``named_id``."""
        return self.entity(named_id(kind, name), kind, name, **fields)

    def date(self, iso: str) -> str:
        """A day, month or year as an entity."""
        return self.entity(f"DATE:{iso}", Kind.DATE, iso)

    def edge(self, source: str, relation, target: str, **fields) -> None:
        """Adds a stated edge."""
        stated = {**self._shared, **fields}
        self.records.edges.append(Edge(source=source, relation=relation, target=target, **stated))


_NAMED = "NAME"


def named_id(kind: Kind, name: str) -> str:
    """Identifier of an entity that is known by its name alone: "NAME:drug:warfarin".

    ``normalize`` replaces it by the identifier of the only entity of this kind that has the
    name; where there is none, or several, it stays.
    """
    return f"{_NAMED}:{kind.value}:{fold(name)}"


def is_named_id(entity_id: str) -> bool:
    """Whether ``named_id`` made it."""
    return entity_id.startswith(f"{_NAMED}:")


def one_line(text: str) -> str:
    """Single spaces, none at the ends."""
    return " ".join(text.split())


def require(text: object, what: str) -> str:
    """A non-empty text. Raises ValueError saying what is missing."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{what} is missing")
    return one_line(text)


_ISO_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def iso_date(text: str, what: str = "date") -> str:
    """``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``, checked. Raises ValueError for anything else."""
    if not _ISO_DATE.fullmatch(text):
        raise ValueError(f"{what} {text!r} is not YYYY, YYYY-MM or YYYY-MM-DD")
    return text


def delimited_rows(
    path: Path,
    records: SourceRecords,
    *,
    required: Iterable[str],
    delimiter: str,
    quoting: int = csv.QUOTE_MINIMAL,
    known: Collection[str] = (),
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, column -> cell) of a file with a header; a row of another width is a problem.

    Raises:
        ValueError: no such file, not UTF-8, or the header lacks a required column or, where
            the ``known`` ones are given, has another.
    """
    with open_text(path) as lines:
        reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)
        try:
            header = [name.strip().lstrip("\ufeff#") for name in next(reader, [])]
            missing = [name for name in required if name not in header]
            if missing:
                raise ValueError(f"{path}:1: no column {', '.join(missing)}; found {header}")
            if known and (others := [name for name in header if name not in known]):
                raise ValueError(f"{path}:1: unknown column {others}; known are {list(known)}")
            for row in reader:
                if not any(row):
                    continue
                if len(row) != len(header):
                    records.problem(
                        path, reader.line_num, f"{len(row)} columns instead of {len(header)}"
                    )
                    continue
                yield (
                    reader.line_num,
                    dict(zip(header, (cell.strip() for cell in row), strict=True)),
                )
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8: {error}") from error
        except csv.Error as error:
            raise ValueError(f"{path}:{reader.line_num}: {error}") from error


def open_text(path: Path):
    """The file as UTF-8 text. Raises ValueError when there is none."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    return path.open(encoding="utf-8", newline="")


def files_in(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file itself, or a folder's files with one of the suffixes, sorted.

    Raises:
        ValueError: neither, or the folder holds none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path}: no such file or folder")
    found = sorted(file for file in path.iterdir() if file.name.endswith(tuple(suffixes)))
    if not found:
        raise ValueError(f"{path}: holds no file that ends in {' or '.join(suffixes)}")
    return found
