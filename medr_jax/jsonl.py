"""Typed reading and canonical writing of records as JSON lines."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="sorted")


def encode(record: object) -> bytes:
    """Canonical JSON: UTF-8, sorted keys, no spaces. Equal records give equal bytes."""
    return _encoder.encode(record)


def decode(line: bytes | str, record_type: type[T], *, origin: str = "") -> T:
    """One typed record. Raises ValueError naming ``origin`` and the offending field."""
    try:
        return msgspec.json.decode(line, type=record_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        where = f"{origin}: " if origin else ""
        raise ValueError(f"{where}not a {record_type.__name__}: {error}") from error


def read(path: str | os.PathLike[str], record_type: type[T]) -> Iterator[T]:
    """Records of a JSONL file, one at a time. Raises ValueError with file:line."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    decoder = msgspec.json.Decoder(record_type)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ValueError(
                    f"{path}:{number}: not a {record_type.__name__}: {error}"
                ) from error


def write(path: str | os.PathLike[str], records: Iterable[object]) -> int:
    """Writes records, one a line; the file appears whole or not at all. Returns the count."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    count = 0
    with partial.open("wb") as out:
        for record in records:
            out.write(_encoder.encode(record))
            out.write(b"\n")
            count += 1
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    return count


def drop_torn_line(path: str | os.PathLike[str]) -> None:
    """Cuts off a last line without an end: what a killed writer left of an append-only file."""
    path = Path(path)
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def content_hash(records: Iterable[object]) -> str:
    """sha256 over the canonical lines, in order: the identity of decoded content."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(_encoder.encode(record))
        digest.update(b"\n")
    return digest.hexdigest()
