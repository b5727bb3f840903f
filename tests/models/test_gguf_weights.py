"""Weights of llama-architecture GGUF files, against the model they were written from."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from medr_jax.gguf_file import GGUFFile
from medr_jax.models import gguf_weights
from medr_jax.models.config import RopeScaling
from medr_jax.models.gguf_weights import from_gguf_metadata, half_split_rows
from medr_jax.models.pretrained import Source, WeightsConfig, load_pretrained, load_tokenizer
from medr_jax.testing.gguf import model_metadata, model_tensors, tokenizer_metadata, write_gguf
from medr_jax.testing.models import one_device, small_config, small_model

pytest.importorskip("gguf")

CONFIG = small_config(
    vocab_size=300, mlp_dim=64, short_conv_width=0, qk_norm=False, qkv_bias=False, init_std=0.02
)


@pytest.fixture(scope="module")
def model():
    return small_model(CONFIG)


def write(path, model, changes=None, tensors=None, **options) -> WeightsConfig:
    """A file of the model and a tokenizer. ``changes`` to metadata; None takes a tensor out."""
    tensors = model_tensors(model) | (tensors or {})
    metadata = model_metadata(model) | tokenizer_metadata() | (changes or {})
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    write_gguf(path / "x.gguf", metadata, kept, **options)
    return WeightsConfig(source=Source.gguf, path=str(path / "x.gguf"))


def read_config(weights: WeightsConfig):
    return from_gguf_metadata(GGUFFile(weights.path))


def test_rows_of_queries_and_keys_go_back_to_halves():
    # One head of 6 rows as llama.cpp stores them; their swapped inverse would give 0 1 3 ... .
    stored = np.array([0, 3, 1, 4, 2, 5])
    np.testing.assert_array_equal(half_split_rows(stored, 1), np.arange(6))
    two_heads = np.array([[0, 2, 1, 3, 4, 6, 5, 7]]).T
    np.testing.assert_array_equal(half_split_rows(two_heads, 2)[:, 0], np.arange(8))


@pytest.mark.parametrize("changes", [{}, {"qkv_bias": True, "tied_embeddings": False}])
def test_config_and_weights_are_those_that_were_written(tmp_path, changes):
    model = small_model(dataclasses.replace(CONFIG, **changes))
    weights = write(tmp_path, model)
    assert read_config(weights) == model.config
    loaded = load_pretrained(weights, model.config, one_device())
    jax.tree.map(np.testing.assert_array_equal, nnx.state(loaded), nnx.state(model))
    assert load_tokenizer(weights).control("<|im_start|>") == 1


def test_dtypes_are_the_users_and_quantised_weights_are_close(tmp_path, model):
    weights = write(tmp_path, model, encoding="Q8_0")
    wanted = dataclasses.replace(CONFIG, param_dtype="bfloat16", vocab_size=0)
    loaded = load_pretrained(weights, wanted, one_device())
    for got, expected in zip(
        *(jax.tree.leaves(nnx.state(m)) for m in (loaded, model)), strict=True
    ):
        assert got.dtype == "bfloat16"
        # Q8_0's step is 1/127 of a block's largest value; bfloat16 keeps 8 bits.
        np.testing.assert_allclose(np.float32(got), expected, atol=0.9 / 254 + 0.9 / 256)


def test_llama3_rope_scaling_is_recognised_by_its_divisors(tmp_path, model):
    def divisors(scaled):
        plain = dataclasses.replace(scaled, rope_scaling=RopeScaling.none)
        return gguf_weights.rope_frequencies(plain) / gguf_weights.rope_frequencies(scaled)

    scaled = dataclasses.replace(
        CONFIG, rope_theta=500_000.0, rope_scaling=RopeScaling.llama3, rope_factor=32.0
    )
    changes = {"llama.rope.freq_base": 500_000.0}
    factors = divisors(scaled)
    assert factors.max() == 32.0 and factors.min() == 1.0
    tensors = {gguf_weights.ROPE_FACTORS: factors}
    weights = write(tmp_path, model, changes, tensors)
    assert read_config(weights) == scaled
    load_pretrained(weights, scaled, one_device())
    tensors = {gguf_weights.ROPE_FACTORS: np.sqrt(factors)}
    with pytest.raises(ValueError, match="is not Llama 3's rope scaling"):
        read_config(write(tmp_path, model, changes, tensors))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"llama.rope.scaling.type": "yarn"}, "llama.rope.scaling.type='yarn'"),
        ({"llama.expert_count": 8}, "llama.expert_count=8"),
        ({"llama.new_trick": 1}, "llama.new_trick=1"),
        ({"llama.rope.dimension_count": 4}, "llama.rope.dimension_count=4"),
        ({"llama.attention.head_count_kv": [2, 1]}, "head_count_kv="),
        ({"llama.block_count": 0}, "num_layers=0"),
        ({"llama.attention.head_count": 0}, "num_heads=0"),
    ],
)
def test_unsupported_fields_are_refused_by_name(tmp_path, model, changes, reason):
    with pytest.raises(ValueError, match=reason):
        read_config(write(tmp_path, model, changes))


def test_other_architectures_and_missing_fields_are_refused(tmp_path, model):
    with pytest.raises(ValueError, match="general.architecture='qwen2' is not supported"):
        read_config(write(tmp_path, model, architecture="qwen2"))
    write_gguf(tmp_path / "x.gguf", {"llama.block_count": 1}, {})
    with pytest.raises(ValueError, match="the metadata lack llama.attention.head_count"):
        from_gguf_metadata(GGUFFile(tmp_path / "x.gguf"))


def test_tensors_that_do_not_fit_are_listed(tmp_path, model):
    tensors = {
        "blk.0.ffn_up.weight": None,
        "blk.1.ffn_gate_inp.weight": np.ones((2, 32), np.float32),
        "blk.1.attn_k.weight": np.ones((32, 32), np.float32),
    }
    with pytest.raises(ValueError, match="3 tensors do not fit") as caught:
        load_pretrained(write(tmp_path, model, tensors=tensors), CONFIG, one_device())
    for part in ("missing model.layers.0.mlp.up_proj.weight", "extra blk.1.ffn_gate_inp.weight"):
        assert part in str(caught.value)
    assert "model.layers.1.self_attn.k_proj.weight is (32, 32)" in str(caught.value)


def test_a_file_cut_within_a_tensor_is_refused_before_any_is_read(tmp_path, model):
    weights = write(tmp_path, model)
    whole = (tmp_path / "x.gguf").read_bytes()
    (tmp_path / "x.gguf").write_bytes(whole[:-1000])
    with pytest.raises(ValueError, match=r"cut short: .* ends at byte \d+ of"):
        load_pretrained(weights, CONFIG, one_device())


@pytest.mark.parity
def test_tensors_equal_those_that_transformers_reads(tmp_path, model):
    pytest.importorskip("torch")
    utilities = pytest.importorskip("transformers.modeling_gguf_pytorch_utils")
    transformers = pytest.importorskip("transformers")
    weights = write(tmp_path, model)
    config = transformers.AutoConfig.from_pretrained(str(tmp_path), gguf_file="x.gguf")
    reference = transformers.LlamaForCausalLM(config)
    loaded = utilities.load_gguf_checkpoint(
        weights.path, return_tensors=True, model_to_load=reference
    )["tensors"]
    source = gguf_weights.GGUFSource(GGUFFile(weights.path), CONFIG)
    assert set(loaded) == set(source.shapes)
    for name, tensor in loaded.items():
        ours = source.read(name, [slice(None)] * tensor.ndim)
        np.testing.assert_array_equal(ours, tensor.float().numpy(), err_msg=name)
