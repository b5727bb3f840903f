"""Elements of a JSON array, or members of a JSON object, one at a time."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from medr_jax.retrieval.sources.base import UNREADABLE, Skipped, opened

_CHUNK_BYTES = 1 << 20
MAX_ELEMENT_CHARS = 1 << 26
"""Of one record. It bounds the memory that a file which is no JSON can take."""

_SPACE_OR_COMMA = re.compile(r"[\s,]*")
_SPACE = re.compile(r"\s*")


def elements(path: Path, key: str, skipped: Skipped) -> Iterator[tuple[str, Any]]:
    """(where, element) of the array under ``key``, of a top-level array, or the one object.

    ``{"meta": ..., "studies": [...]}``, ``[...]`` and a file that is itself one record are
    what registries hand out. Malformed JSON ends the file; the rest counts as one skipped record.
    """
    opening = re.compile(rf'\s*(?:\[|\{{(?s:.*?)"{re.escape(key)}"\s*:\s*\[)')
    for name, file in opened(path, skipped):
        number = 0
        try:
            window = _Window(file)
            if window.skip(opening, max_chars=_CHUNK_BYTES):
                for element in window.array():
                    number += 1
                    yield f"{name}: record {number}", element
            else:
                yield f"{name}: record 1", window.value()
        except (ValueError, *UNREADABLE) as error:
            skipped.add(f"{name}: after record {number}", f"the rest cannot be read: {error}")


def members(path: Path, skipped: Skipped) -> Iterator[tuple[str, str, Any]]:
    """(where, key, value) of each member of the file's one object."""
    for name, file in opened(path, skipped):
        number = 0
        try:
            for key, value in _Window(file).members():
                number += 1
                yield f"{name}: record {number} ({key})", key, value
        except (ValueError, *UNREADABLE) as error:
            skipped.add(f"{name}: after record {number}", f"the rest cannot be read: {error}")


class _Window:
    """The part of a JSON text that is being read; it grows to the size of one value."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._values = json.JSONDecoder()
        self._text, self._at, self._ended = "", 0, False

    def skip(self, pattern: re.Pattern[str], *, max_chars: int) -> bool:
        """Moves behind the pattern, which must stand within the next ``max_chars``."""
        while len(self._text) - self._at < max_chars and self._read():
            pass
        found = pattern.match(self._text, self._at, self._at + max_chars)
        self._at = found.end() if found else self._at
        return found is not None

    def array(self) -> Iterator[Any]:
        """Elements from here to the closing bracket."""
        while self._next(_SPACE_OR_COMMA) != "]":
            yield self.value()

    def members(self) -> Iterator[tuple[str, Any]]:
        """Keys and values of the object that starts here."""
        if self._next(_SPACE_OR_COMMA) != "{":
            raise ValueError("no JSON object")
        self._at += 1
        while self._next(_SPACE_OR_COMMA) != "}":
            key = self.value()
            if self._next(_SPACE) != ":" or not isinstance(key, str):
                raise ValueError("a key and a colon are missing")
            self._at += 1
            yield key, self.value()

    def value(self) -> Any:
        """The next value. It is tried again with twice the text until it is complete."""
        self._next(_SPACE_OR_COMMA)
        while True:
            try:
                value, end = self._values.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > MAX_ELEMENT_CHARS:
                    raise ValueError(f"a record above {MAX_ELEMENT_CHARS} characters") from None
                if not self._grow():
                    raise
                continue
            if end < len(self._text) or not self._grow():  # a number could go on
                self._at = end
                return value

    def _next(self, pattern: re.Pattern[str]) -> str:
        """The character behind what is skipped."""
        while True:
            found = pattern.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                raise ValueError("the text ends in the middle")

    def _grow(self) -> bool:
        """Drops what was read and adds as much again as is left."""
        self._text, self._at = self._text[self._at :], 0
        wanted = 2 * len(self._text)
        grown = self._read()
        while grown and len(self._text) < wanted:
            if not self._read():
                break
        return grown

    def _read(self) -> bool:
        if self._ended:
            return False
        data = self._file.read(_CHUNK_BYTES)
        self._ended = not data
        self._text += self._decoder.decode(data, final=self._ended)
        return bool(data)
