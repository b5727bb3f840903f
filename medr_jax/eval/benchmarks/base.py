"""What every benchmark offers: items read from a file, and a grade for a prediction.

Benchmark text stays in memory. An item shows lengths where others would show text, so that a
log line or an error cannot put a question on the web; ``revealed`` is the one way round.
"""

import csv
import hashlib
import io
import json
import os
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medr_jax import jsonl
from medr_jax.grading.grade import Grade
from medr_jax.grading.judge import Judge
from medr_jax.types import Record


class BenchmarkItem(Record):
    """One question. Printing it shows sizes, never text."""

    item_id: str
    question: str
    gold: str  # as the authors write it; the option's letter where there are options
    options: tuple[str, ...] = ()  # A, B, C, ...
    context: tuple[str, ...] = ()  # passages that come with the question
    aliases: tuple[str, ...] = ()  # other accepted answers
    kind: str = ""  # for ``grading.answers.grade``
    groups: dict[str, str] = {}  # {"level": "1"}: what results are broken down by

    @property
    def answer_text(self) -> str:
        """The gold answer in words: the option's text where ``gold`` is its letter."""
        letters = dict(zip(string.ascii_uppercase, self.options, strict=False))
        return letters.get(self.gold, self.gold)

    def __repr__(self) -> str:
        return (
            f"BenchmarkItem({self.item_id!r}, question of {len(self.question)} characters, "
            f"gold hidden, {len(self.options)} options, groups={self.groups})"
        )

    __str__ = __repr__


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A benchmark under its name. ``load`` and ``grade`` are the whole contract."""

    name: str
    load: Callable[[str | os.PathLike[str]], list[BenchmarkItem]]
    grade: Callable[[BenchmarkItem, str], Grade]
    expected: str  # the file that ``load`` wants, in words
    source: str  # where it is published
    rule: str  # how answers are graded, for the note under a table
    judged: Callable[[Judge, BenchmarkItem, str], Grade] | None = None
    """``grade`` with an LLM judge for what rules cannot decide, where that is allowed."""


def version(items: Sequence[BenchmarkItem]) -> str:
    """First 16 hex digits of the content hash: goes into resume keys and table notes."""
    return jsonl.content_hash(items)[:16]


def select(items: Sequence[BenchmarkItem], subset: str) -> list[BenchmarkItem]:
    """A named subset: "all", or "group:value" such as "level:1" or "file:none".

    Raises:
        ValueError: no item is in it; lists the subsets there are.
    """
    if subset == "all":
        return list(items)
    group, _, value = subset.partition(":")
    chosen = [item for item in items if item.groups.get(group) == value and value]
    if not chosen:
        known = sorted({f"{name}:{value}" for item in items for name, value in item.groups.items()})
        raise ValueError(f"subset={subset!r}: has no items; choose from {['all', *known]}")
    return chosen


def revealed(item: BenchmarkItem) -> dict[str, Any]:
    """The item with its text, for somebody who asked to see it."""
    return {name: getattr(item, name) for name in item.__struct_fields__}


def read_text(path: str | os.PathLike[str], expected: str) -> str:
    """The file as UTF-8, a byte order mark dropped. Raises ValueError saying what was expected."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected {expected}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path}: not UTF-8 ({problem.reason}); expected {expected}") from None


def read_json(path: str | os.PathLike[str], expected: str) -> dict[str, Any]:
    """A JSON object."""
    content = _decode_json(read_text(path, expected), str(path), expected)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds no JSON object; expected {expected}")
    return content


def read_json_lines(path: str | os.PathLike[str], expected: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line."""
    for number, line in enumerate(read_text(path, expected).splitlines(), start=1):
        if line.strip():
            row = _decode_json(line, f"{path}:{number}", expected)
            if not isinstance(row, dict):
                raise ValueError(f"{path}:{number}: holds no JSON object; expected {expected}")
            yield row


def read_csv(path: str | os.PathLike[str], expected: str) -> list[list[str]]:
    """The rows of a CSV file, empty ones left out."""
    rows = csv.reader(io.StringIO(read_text(path, expected), newline=""))
    try:
        return [row for row in rows if any(row)]
    except csv.Error as problem:
        raise ValueError(f"{path}: not CSV ({problem}); expected {expected}") from None


def field(row: dict[str, Any], name: str, where: str, expected: str) -> Any:
    """``row[name]``; a missing field is an error that says where and what was expected."""
    if row.get(name) in (None, ""):
        names = sorted(map(str, row))
        shown = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
        raise ValueError(f"{where}: no field {name!r} (has {shown}); expected {expected}")
    return row[name]


def checked(
    items: Iterable[BenchmarkItem], path: str | os.PathLike[str], expected: str
) -> list[BenchmarkItem]:
    """All items; raises ValueError when there are none or two share an id."""
    items = list(items)
    if not items:
        raise ValueError(f"{path}: holds no questions; expected {expected}")
    ids = [item.item_id for item in items]
    if len(set(ids)) < len(ids):
        twice = next(item_id for item_id in ids if ids.count(item_id) > 1)
        raise ValueError(f"{path}: item {twice!r} occurs twice; expected {expected}")
    return items


def text_id(*parts: str) -> str:
    """An id for items that have none: a hash of their text, which it does not tell."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def _decode_json(text: str, where: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise ValueError(
            f"{where}: not JSON ({problem.msg}, column {problem.colno}); expected {expected}"
        ) from None
