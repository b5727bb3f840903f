"""config.json in both rope layouts, and refusals by name."""

import pytest

from medr_jax.models.config import Activation, ModelConfig, RopeScaling
from medr_jax.models.hf_config import from_hf_config, to_hf_config

QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "hidden_act": "silu",
    "use_sliding_window": False,
    "sliding_window": 128,
    "max_window_layers": 2,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_qwen2():
    config = from_hf_config(QWEN2)
    assert config.qkv_bias
    assert not config.qk_norm
    assert config.tied_embeddings
    assert config.head_dim == 16  # hidden_size / heads where it is not stated
    assert config.rope_theta == 1e6


def test_qwen3_states_its_head_dim():
    config = from_hf_config({**QWEN2, "model_type": "qwen3", "head_dim": 32})
    assert (config.head_dim, config.qk_norm, config.qkv_bias) == (32, True, False)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 5e5, "rope_scaling": LLAMA3},
        {"rope_theta": 5e5, "rope_scaling": {**LLAMA3, "type": "llama3"}},
        {"rope_theta": None, "rope_parameters": {"rope_theta": 5e5, **LLAMA3}},
    ],
)
def test_both_rope_layouts(rope):
    config = from_hf_config({**QWEN2, "model_type": "llama", **rope})
    assert config.rope_scaling is RopeScaling.llama3
    assert (config.rope_theta, config.rope_factor) == (5e5, 32.0)
    assert config.rope_original_length == 8192
    assert not config.qkv_bias


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "mamba"}, "model_type='mamba'"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ({"use_sliding_window": True}, "use_sliding_window=True"),
        ({"model_type": "llama", "attention_bias": True}, "attention_bias"),
        ({"model_type": "llama", "mlp_bias": True}, "mlp_bias"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'yarn'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"num_experts": 8}, "num_experts"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(changes, named):
    with pytest.raises(ValueError, match=named):
        from_hf_config({**QWEN2, **changes})


def test_a_missing_field_is_named():
    without = {name: value for name, value in QWEN2.items() if name != "hidden_size"}
    with pytest.raises(ValueError, match="hidden_size"):
        from_hf_config(without)


@pytest.mark.parametrize(
    "changes",
    [
        {"qkv_bias": True},
        {"qk_norm": True, "head_dim": 24, "tied_embeddings": False},
        {"rope_scaling": RopeScaling.llama3, "rope_factor": 32.0},
    ],
)
def test_there_and_back(changes):
    config = ModelConfig(vocab_size=50, init_std=0.02, **changes)
    assert from_hf_config(to_hf_config(config)) == config


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"short_conv_width": 4}, "short_conv_width=4"),
        ({"activation": Activation.relu2}, "activation=relu2"),
        ({"scale_embeddings": True}, "scale_embeddings"),
        ({"qkv_bias": True, "qk_norm": True}, "together"),
    ],
)
def test_what_hugging_face_cannot_express_is_refused(changes, named):
    with pytest.raises(ValueError, match=named):
        to_hf_config(ModelConfig(vocab_size=50, **changes))
