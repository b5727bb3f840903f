"""Named tensors on disk: read a part at a time, written one at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import jax.numpy as jnp
import numpy as np
import safetensors

SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"

DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""NumPy's name of a dtype and that of the safetensors format."""

_ALIGNMENT = 8  # bytes; the format asks that a header be padded to it


class TensorSource(Protocol):
    """Tensors under names, of which any part can be read without the rest."""

    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str, index: Sequence[slice]) -> np.ndarray:
        """The part of a tensor that ``index``, a slice for each dimension, cuts out."""


class ArraySource:
    """Tensors that are in memory already."""

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._tensors = tensors
        self.shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}

    def read(self, name: str, index: Sequence[slice]) -> np.ndarray:
        """A view."""
        return self._tensors[name][tuple(index)]


class SafetensorsFolder:
    """The tensors of a folder with ``model.safetensors``, or an index and several files.

    Only headers are read here. Every ``read`` opens its file anew: what was mapped of it is
    given back at once, so that memory does not grow with the checkpoint.

    Raises:
        ValueError: a file is missing or damaged, or a tensor's type is not a float of 16 or 32
            bits.
    """

    def __init__(self, path: Path) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, Path] = {}
        unknown = []
        for file in checkpoint_files(path):
            with _opened(file) as opened:
                for name in opened.keys():  # noqa: SIM118  (not a dict)
                    header = opened.get_slice(name)
                    self.shapes[name], self._files[name] = tuple(header.get_shape()), file
                    if header.get_dtype() not in DTYPES.values():
                        unknown.append(f"{name} ({header.get_dtype()})")
        if unknown:
            raise ValueError(
                f"{path}: tensors of a type that is not one of {', '.join(DTYPES)}: "
                f"{', '.join(unknown)}; convert the checkpoint first"
            )

    def read(self, name: str, index: Sequence[slice]) -> np.ndarray:
        """A copy of the part, in the file's dtype."""
        with _opened(self._files[name]) as opened:
            return opened.get_slice(name)[tuple(index)]


def checkpoint_files(path: Path) -> list[Path]:
    """The safetensors files of a checkpoint folder. ValueError when one of them is missing."""
    path = Path(path)
    names = [SINGLE_FILE]
    if (path / INDEX_FILE).is_file():
        try:
            index = json.loads((path / INDEX_FILE).read_text(encoding="utf-8"))
            names = sorted({str(name) for name in index["weight_map"].values()})
        except (ValueError, KeyError, AttributeError, TypeError) as problem:
            raise ValueError(
                f"{path / INDEX_FILE}: not a checkpoint's index: {problem!r}"
            ) from None
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{path / INDEX_FILE}: names {name!r}, which is not in its folder")
        if not (path / name).is_file():
            raise ValueError(f"{path / name}: no such file; the checkpoint is incomplete")
    return [path / name for name in names]


def write_folder(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str,
    tensors: Iterator[tuple[str, np.ndarray]],
    *,
    max_file_bytes: int,
) -> None:
    """Writes ``tensors``, which come in the order of ``shapes``, as they come.

    One file, or several of at most ``max_file_bytes`` (a larger tensor has one of its own) and
    their index.
    """
    itemsize = jnp.dtype(dtype).itemsize
    sizes = {name: int(np.prod(shape)) * itemsize for name, shape in shapes.items()}
    files = _planned(sizes, max_file_bytes)
    names = [f"model-{i:05}-of-{len(files):05}.safetensors" for i in range(1, len(files) + 1)]
    if len(files) == 1:
        names = [SINGLE_FILE]
    for file, held in zip(names, files, strict=True):
        _write_file(path / file, {name: shapes[name] for name in held}, dtype, sizes, tensors)
    if len(files) > 1:
        index = {
            "metadata": {"total_size": sum(sizes.values())},
            "weight_map": {
                name: file for file, held in zip(names, files, strict=True) for name in held
            },
        }
        (path / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _planned(sizes: Mapping[str, int], max_file_bytes: int) -> list[list[str]]:
    files: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not files or size > room:
            files.append([])
            room = max_file_bytes
        files[-1].append(name)
        room -= size
    return files


def _write_file(
    file: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str,
    sizes: Mapping[str, int],
    tensors: Iterator[tuple[str, np.ndarray]],
) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}  # transformers looks for it
    start = 0
    for name, shape in shapes.items():
        end = start + sizes[name]
        header[name] = {"dtype": DTYPES[dtype], "shape": shape, "data_offsets": [start, end]}
        start = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    with file.open("xb") as out:
        out.write(len(encoded).to_bytes(8, "little") + encoded)
        for name in shapes:
            given, tensor = next(tensors)
            assert (given, tensor.shape) == (name, shapes[name]), (given, name)
            assert tensor.dtype == jnp.dtype(dtype), (name, tensor.dtype)
            out.write(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data)


def _numpy_dtype(dtype: str) -> np.dtype:
    return jnp.dtype(dtype)


def _opened(file: Path):
    try:
        return safetensors.safe_open(file, framework="np")
    except (safetensors.SafetensorError, OSError) as problem:
        raise ValueError(f"{file}: not a readable safetensors file: {problem}") from problem
