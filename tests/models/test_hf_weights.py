"""Weights to Hugging Face names and back, through files."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from jax.sharding import PartitionSpec

from medr_jax.models import hf_weights, tensor_files
from medr_jax.models.hf_config import from_hf_config
from medr_jax.models.pretrained import read_hf_config
from medr_jax.models.tensor_files import ArraySource
from medr_jax.testing.models import one_device, small_config, small_model

CONFIGS = {
    "qwen2": small_config(short_conv_width=0, qk_norm=False),
    "qwen3": small_config(short_conv_width=0, qkv_bias=False, tied_embeddings=False),
    "llama": small_config(short_conv_width=0, qkv_bias=False, qk_norm=False),
}


def load(path, **runtime):
    """The model as its own config.json describes it."""
    return hf_weights.load(path, from_hf_config(read_hf_config(path), **runtime), one_device())


def tensors_of(model):
    return dict(hf_weights.to_hf(model.config, nnx.state(model)))


@pytest.mark.parametrize("family", CONFIGS)
def test_there_and_back_is_bit_equal(family, tmp_path):
    model = small_model(CONFIGS[family])
    # A small limit makes several files and an index.
    hf_weights.save(model, tmp_path, max_file_bytes=20_000)
    assert (tmp_path / tensor_files.INDEX_FILE).is_file()
    back = load(tmp_path)
    # max_length and the rest of the config survive too; init_std is written as its default.
    assert dataclasses.replace(back.config, init_std=0.0) == model.config
    jax.tree.map(np.testing.assert_array_equal, nnx.state(back), nnx.state(model))


def test_matrices_are_stored_output_first():
    model = small_model(CONFIGS["qwen2"])
    tensors = tensors_of(model)
    query = np.asarray(model.layers.attention.query[...])  # (layers, D, N, H)
    assert tensors["model.layers.1.self_attn.q_proj.weight"].shape == (32, 32)
    # Row n * H + h of theirs is column (n, h) of ours.
    np.testing.assert_array_equal(
        tensors["model.layers.1.self_attn.q_proj.weight"][2 * 8 + 3], query[1, :, 2, 3]
    )
    out = np.asarray(model.layers.attention.out[...])  # (layers, N, H, D)
    np.testing.assert_array_equal(
        tensors["model.layers.0.self_attn.o_proj.weight"][:, 2 * 8 + 3], out[0, 2, 3]
    )
    assert "lm_head.weight" not in tensors


def test_bfloat16_survives(tmp_path):
    model = small_model(dataclasses.replace(CONFIGS["llama"], param_dtype="bfloat16"))
    hf_weights.save(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == "bfloat16"
    back = load(tmp_path, param_dtype="bfloat16")
    jax.tree.map(np.testing.assert_array_equal, nnx.state(back), nnx.state(model))


def test_a_split_of_ours_is_the_same_split_of_theirs():
    table = {entry.path[-1]: entry for entry in hf_weights.hf_tensors(CONFIGS["qwen2"])}
    # Ours (D, N, H) split by fsdp and heads; theirs is (N * H, D).
    query = table["query"].split_as(PartitionSpec("fsdp", "tensor", None), (32, 4, 8))
    assert query == PartitionSpec("tensor", "fsdp")
    out = table["out"].split_as(PartitionSpec("tensor", None, "fsdp"), (4, 8, 32))
    assert out == PartitionSpec("fsdp", "tensor")
    bias = table["key_bias"].split_as(PartitionSpec("tensor", None), (2, 8))
    assert bias == PartitionSpec("tensor")
    embedding = table["embedding"].split_as(PartitionSpec("tensor", "fsdp"), (64, 32))
    assert embedding == PartitionSpec("tensor", "fsdp")


def test_all_faults_in_one_message():
    model = small_model(CONFIGS["qwen2"])
    tensors = tensors_of(model)
    del tensors["model.norm.weight"]
    tensors["model.layers.2.extra"] = np.zeros(1)
    tensors["model.layers.0.mlp.up_proj.weight"] = np.zeros((32, 48), np.float32)
    with pytest.raises(ValueError, match="3 tensors do not fit") as caught:
        hf_weights.from_hf(model.config, ArraySource(tensors), one_device())
    for part in ("missing model.norm.weight", "extra model.layers.2.extra", "not (48, 32)"):
        assert part in str(caught.value)


def test_a_tied_head_may_be_stored_twice_but_not_differ():
    model = small_model(CONFIGS["qwen2"])
    tensors = tensors_of(model)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    hf_weights.from_hf(model.config, ArraySource(tensors), one_device())
    tensors["lm_head.weight"][0, 0] += 1
    with pytest.raises(ValueError, match="lm_head.weight differs from"):
        hf_weights.from_hf(model.config, ArraySource(tensors), one_device())


def test_files_are_as_large_as_asked(tmp_path):
    model = small_model(CONFIGS["llama"])
    hf_weights.save(model, tmp_path / "many", max_file_bytes=1)
    index = json.loads((tmp_path / "many" / tensor_files.INDEX_FILE).read_text())
    files = sorted((tmp_path / "many").glob("*.safetensors"))
    assert len(files) == len(index["weight_map"]) == len(tensors_of(model))
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in tensors_of(model).values())
    # The library reads what is written here without it.
    hf_weights.save(model, tmp_path / "one")
    read = safetensors.numpy.load_file(tmp_path / "one" / tensor_files.SINGLE_FILE)
    for name, tensor in tensors_of(model).items():
        np.testing.assert_array_equal(read[name], tensor)


def test_a_folder_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    model = small_model(CONFIGS["llama"])
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        hf_weights.save(model, tmp_path / "kept")
    monkeypatch.setattr(hf_weights, "to_hf", lambda *_, **__: iter(()))
    with pytest.raises(StopIteration):
        hf_weights.save(model, tmp_path / "broken")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_float32_parameters_from_and_to_bfloat16_files(tmp_path):
    model = small_model(CONFIGS["llama"])
    hf_weights.save(model, tmp_path / "out", dtype="bfloat16")
    back = load(tmp_path / "out")
    assert back.embedding[...].dtype == jnp.float32
    jax.tree.map(
        lambda mine, theirs: np.testing.assert_array_equal(mine.astype(jnp.bfloat16), theirs),
        nnx.state(model),
        nnx.state(back),
    )


def test_a_short_convolution_cannot_be_exported(tmp_path):
    with pytest.raises(ValueError, match="short_conv_width=4"):
        hf_weights.save(small_model(), tmp_path / "out")


def test_broken_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="no config.json"):
        load(tmp_path)
    hf_weights.save(small_model(CONFIGS["llama"]), tmp_path)
    weights = tmp_path / tensor_files.SINGLE_FILE
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(ValueError, match="no such file"):
        load(tmp_path)
