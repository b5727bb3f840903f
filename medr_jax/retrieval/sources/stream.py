"""Which files an index is made of, and their documents in one stream without repeats."""

import glob
import hashlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from medr_jax import jsonl
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.sources.base import Item, Reader, Removal, Skipped

_MODULES = "medr_jax.retrieval.sources"
_ENDINGS = (".xml", ".nxml", ".json", ".jsonl", ".txt")
_ARCHIVES = (".gz", ".zip")


class Format(Enum):
    """What a file is read as; the value is the reader's module."""

    pubmed = "pubmed"
    pmc = "jats"
    clinicaltrials = "clinicaltrials"
    openfda = "openfda"
    orange_book = "orange_book"
    pubmedqa = "pubmedqa"
    beir = "beir"
    jsonl = "json_lines"

    @property
    def reads_folders(self) -> bool:
        """Whether a folder is one input, and not many files of the format."""
        return self in (Format.orange_book, Format.beir)


@dataclass(kw_only=True, slots=True)
class SourceConfig:
    """Files of one format."""

    format: Format = Format.jsonl
    path: str = ""  # a file, a folder or a pattern such as "pubmed/*.xml.gz"

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError(
                f"index.sources: path of {self.format.name} is empty; "
                "name a file, a folder or a pattern"
            )

    def inputs(self) -> list[Path]:
        """What the reader is called with, newest first: by name, from the end.

        NLM numbers its update files after the baseline, so a newer version of a citation comes
        first and the older ones are left out.
        """
        path = Path(self.path).expanduser()
        if path.is_file() or (path.is_dir() and self.format.reads_folders):
            return [path]
        found = path.rglob("*") if path.is_dir() else map(Path, glob.glob(str(path)))
        files = sorted((f for f in found if f.is_file() and _readable(f)), reverse=True)
        if not files:
            raise ValueError(f"{path}: no such file, or no files in it that can be read")
        return files

    def reader(self) -> Reader:
        """The ``read`` function of the format."""
        return importlib.import_module(f"{_MODULES}.{self.format.value}").read


def _readable(file: Path) -> bool:
    name = file.name.lower()
    for archive in _ARCHIVES:
        if name.endswith(archive):
            return True
    return name.endswith(_ENDINGS)


def fingerprints(sources: Sequence[SourceConfig]) -> dict[str, str]:
    """Number and name of each input file -> sha256: what a build of them depends on."""
    found = {}
    for number, source in enumerate(sources):
        for path in source.inputs():
            files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
            for file in files:
                with file.open("rb") as data:
                    digest = hashlib.file_digest(data, "sha256").hexdigest()
                found[f"{number}:{source.format.name}:{file.name}"] = digest
    return found


def items(sources: Iterable[SourceConfig], skipped: Skipped) -> Iterator[Item]:
    """What the readers give, source by source; a source's newest file first."""
    for source in sources:
        read = source.reader()
        for path in source.inputs():
            yield from read(path, skipped)


def first_of_each(found: Iterable[Item], skipped: Skipped) -> Iterator[Document]:
    """Documents whose id did not come before, neither as a document nor as a removal.

    A document that cannot be written down (lone surrogates, no id) is skipped by name. Ids are
    kept in memory: about 100 bytes a document.
    """
    seen: set[str] = set()
    for item in found:
        if item.doc_id in seen:
            skipped.superseded += 1
            continue
        if isinstance(item, Removal):
            seen.add(item.doc_id)
            continue
        problem = _problem(item)
        if problem:
            skipped.add(f"document {item.doc_id[:80]!a}", problem)
            continue
        seen.add(item.doc_id)
        yield item


def _problem(document: Document) -> str:
    if not document.doc_id:
        return "its id is empty"
    try:
        jsonl.encode(document)
    except UnicodeEncodeError as error:
        return f"text that is not valid Unicode: {error.reason}"
    return ""
