"""What all readers of document files share: the contract, opening files, naming bad records.

A reader is ``read(path, skipped) -> Iterator[Document | Removal]``. It holds one record at a
time, so memory does not grow with the file; a record that it cannot use is counted and named in
``skipped``, never fatal. Read twice, a file gives the same documents in the same order, which is
what a build that was killed resumes on.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from medr_jax.retrieval.corpus import Document
from medr_jax.types import Record

MAX_NAMED = 1000

UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What reading a damaged or cut archive raises."""


class Removal(Record):
    """A record that the publisher withdrew: earlier versions of the document are to go."""

    doc_id: str


class SkippedRecord(Record):
    """One record that could not be used."""

    where: str  # "pubmed25n0001.xml.gz: record 17"
    reason: str


class Skipped:
    """Counts what was left out; names the first thousand faulty records."""

    def __init__(self) -> None:
        self.count = 0
        self.superseded = 0  # older versions of documents, and removed ones
        self.named: list[SkippedRecord] = []

    def add(self, where: str, reason: object) -> None:
        """Counts a record; ``where`` says which file and which record of it."""
        self.count += 1
        if len(self.named) < MAX_NAMED:
            self.named.append(SkippedRecord(where=where, reason=str(reason)[:300]))


Item: TypeAlias = Document | Removal
Reader: TypeAlias = Callable[[Path, Skipped], Iterator[Item]]


def opened(path: Path, skipped: Skipped) -> Iterator[tuple[str, BinaryIO]]:
    """(name, bytes) of a file: plain, gzip, or each member of a zip archive.

    Raises:
        ValueError: there is no such file.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                for member in sorted(archive.namelist()):
                    if not member.endswith("/"):
                        with archive.open(member) as file:
                            yield f"{path.name}/{member}", file
        except zipfile.BadZipFile as error:
            skipped.add(path.name, f"the archive is damaged: {error}")
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield path.name, file


def one_line(text: str | None) -> str:
    """Text with each run of white space made one space; "" for None."""
    return " ".join(text.split()) if text else ""


def distinct(texts: Iterator[str] | list[str]) -> tuple[str, ...]:
    """The texts that are not empty, each once, in order."""
    return tuple(text for text in dict.fromkeys(texts) if text)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_date(year: str, month: str = "", day: str = "") -> str:
    """ "2018-05-17" of "2018", "May" or "05", "17"; shorter where parts are missing."""
    year, month, day = year.strip(), month.strip().lower()[:3], day.strip()
    if not (year.isdecimal() and len(year) == 4):
        return ""
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month) if _digits(month) else 0
    if not 1 <= number <= 12:
        return year
    date = f"{year}-{number:02}"
    return f"{date}-{int(day):02}" if _digits(day) and 1 <= int(day) <= 31 else date


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
