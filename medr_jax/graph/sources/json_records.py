"""Records of a JSON file that holds one list of them, of several such files, or of JSONL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from medr_jax.graph.sources.base import SourceRecords, files_in, open_text


def json_records(
    path: Path, records: SourceRecords, field: str
) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """(file, number from 1, record) of ``{field: [...]}``, one bare record, or JSONL lines.

    A line of JSONL that is no object is a problem.

    Raises:
        ValueError: no such file, or a ``.json`` file that is not JSON.
    """
    for file in files_in(path, (".json", ".jsonl")):
        if file.suffix == ".jsonl":
            yield from _lines(file, records)
            continue
        with open_text(file) as content:
            try:
                whole = msgspec.json.decode(content.read())
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ValueError(f"{file}: not JSON: {error}") from error
        found = whole.get(field, [whole]) if isinstance(whole, dict) else whole
        if not isinstance(found, list):
            raise ValueError(f"{file}: {field} is no list")
        for number, record in enumerate(found, start=1):
            if isinstance(record, dict):
                yield file, number, record
            else:
                records.problem(file, number, "not a JSON object")


def _lines(file: Path, records: SourceRecords) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    with open_text(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield file, number, msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError as error:
                records.problem(file, number, error)


def at(record: object, *keys: str) -> Any:
    """The value under nested keys, None where one is missing."""
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def texts(value: object) -> list[str]:
    """The non-empty texts of a list; none for anything else."""
    if not isinstance(value, list):
        return []
    return [one.strip() for one in value if isinstance(one, str) and one.strip()]
