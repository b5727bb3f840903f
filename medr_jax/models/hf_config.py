"""Hugging Face ``config.json`` to ``ModelConfig`` and back."""

from typing import Any

from medr_jax.models.config import Activation, ModelConfig, RopeScaling

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

_REQUIRED_VALUES: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu",),
    "mlp_bias": (False,),
    "use_sliding_window": (False,),
    "attention_dropout": (0, 0.0),
    "quantization_config": (None,),
    "partial_rotary_factor": (1, 1.0),
}
"""Fields that change the computation, and the values with which it is ours."""

_NEEDED = {
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "max_position_embeddings", "rms_norm_eps"),
}

_MAPPED = _NEEDED | {
    *("architectures", "model_type", "num_key_value_heads", "head_dim", "rope_theta"),
    *("rope_scaling", "rope_parameters", "tie_word_embeddings", "attention_bias"),
    *("initializer_range", "layer_types"),
}

_IRRELEVANT = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype", "dtype", "use_cache"),
    *("transformers_version", "sliding_window", "max_window_layers", "pretraining_tp"),
    *("_name_or_path", "transformers.js_config", "is_llama_config", "rope_interleaved"),
    *("name_or_path", "chunk_size_feed_forward", "id2label", "label2id", "problem_type"),
    *("output_attentions", "output_hidden_states", "return_dict", "is_encoder_decoder"),
}
"""Fields without an effect on logits: token ids, versions, and windows that are switched off."""


def from_hf_config(
    hf: dict[str, Any], *, dtype: str = "float32", param_dtype: str = "float32"
) -> ModelConfig:
    """The config of a Llama, Qwen2 or Qwen3 checkpoint, from its parsed ``config.json``.

    Both rope layouts are read: ``rope_parameters`` (transformers 5) and top-level
    ``rope_theta`` with ``rope_scaling``.

    Raises:
        ValueError: an architecture or a field this model does not have, by name.
    """
    family = hf.get("model_type", "")
    if family not in ARCHITECTURES:
        raise ValueError(
            f"config.json: model_type={family!r} is not supported; use one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    _refuse_unsupported(hf)
    if missing := sorted(_NEEDED - hf.keys()):
        raise ValueError(f"config.json ({family}): missing {', '.join(missing)}")
    heads = hf["num_attention_heads"]
    rope = _rope(hf)
    return ModelConfig(
        vocab_size=hf["vocab_size"],
        max_length=hf["max_position_embeddings"],
        num_layers=hf["num_hidden_layers"],
        embed_dim=hf["hidden_size"],
        num_heads=heads,
        num_kv_heads=hf.get("num_key_value_heads") or heads,
        head_dim=hf.get("head_dim") or hf["hidden_size"] // heads,
        mlp_dim=hf["intermediate_size"],
        activation=Activation.silu,
        qkv_bias=family == "qwen2",
        qk_norm=family == "qwen3",
        tied_embeddings=hf.get("tie_word_embeddings", False),
        norm_eps=hf["rms_norm_eps"],
        init_std=hf.get("initializer_range", 0.02),
        dtype=dtype,
        param_dtype=param_dtype,
        **rope,
    )


def to_hf_config(config: ModelConfig) -> dict[str, Any]:
    """A ``config.json`` that ``transformers`` (4 and 5), vLLM and SGLang load.

    Raises:
        ValueError: the model has what these architectures cannot express, by field.
    """
    refuse_inexpressible(config)
    family = "qwen3" if config.qk_norm else "qwen2" if config.qkv_bias else "llama"
    scaling = None
    if config.rope_scaling is RopeScaling.llama3:
        scaling = {
            "rope_type": "llama3",
            "factor": config.rope_factor,
            "low_freq_factor": config.rope_low_freq_factor,
            "high_freq_factor": config.rope_high_freq_factor,
            "original_max_position_embeddings": config.rope_original_length,
        }
    hf = {
        "architectures": [ARCHITECTURES[family]],
        "model_type": family,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_length,
        "num_hidden_layers": config.num_layers,
        "hidden_size": config.embed_dim,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.mlp_dim,
        "hidden_act": "silu",
        "tie_word_embeddings": config.tied_embeddings,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling,
        "initializer_range": config.init_std or 0.02,
        "torch_dtype": config.param_dtype,
    }
    return {name: value for name, value in hf.items() if value is not None}


def refuse_inexpressible(config: ModelConfig) -> None:
    """ValueError naming every field that no Hugging Face architecture here can hold."""
    faults = []
    if config.short_conv_width:
        faults.append(f"short_conv_width={config.short_conv_width}")
    if config.activation is not Activation.silu:
        faults.append(f"activation={config.activation.value}")
    if config.scale_embeddings:
        faults.append("scale_embeddings=true")
    if config.qkv_bias and config.qk_norm:
        faults.append("qkv_bias and qk_norm together")
    if config.qkv_bias and config.head_dim * config.num_heads != config.embed_dim:
        faults.append(f"head_dim={config.head_dim} with qkv_bias")
    if faults:
        raise ValueError(
            f"model: {', '.join(faults)} cannot be expressed as a Llama, Qwen2 or Qwen3 "
            "checkpoint; train such a model from a config without it to export it"
        )


def _refuse_unsupported(hf: dict[str, Any]) -> None:
    family = hf["model_type"]
    faults = [
        f"{name}={hf[name]!r}"
        for name, allowed in _REQUIRED_VALUES.items()
        if name in hf and hf[name] not in allowed
    ]
    # Qwen2 has its q/k/v biases whatever this field says; elsewhere it also adds an output bias.
    if hf.get("attention_bias") and family != "qwen2":
        faults.append("attention_bias=True")
    if any(kind != "full_attention" for kind in hf.get("layer_types") or ()):
        faults.append("layer_types other than full_attention")
    known = _MAPPED | _IRRELEVANT | set(_REQUIRED_VALUES)
    faults += [f"{name} (unknown)" for name in sorted(set(hf) - known)]
    if faults:
        raise ValueError(f"config.json ({family}): not supported: {', '.join(faults)}")


def _rope(hf: dict[str, Any]) -> dict[str, Any]:
    rope = dict(hf.get("rope_parameters") or hf.get("rope_scaling") or {})
    theta = rope.get("rope_theta", hf.get("rope_theta", 10_000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return {"rope_theta": float(theta)}
    if kind != "llama3":
        raise ValueError(f"config.json: rope type {kind!r} is not supported; use default or llama3")
    return {
        "rope_theta": float(theta),
        "rope_scaling": RopeScaling.llama3,
        "rope_factor": float(rope["factor"]),
        "rope_low_freq_factor": float(rope["low_freq_factor"]),
        "rope_high_freq_factor": float(rope["high_freq_factor"]),
        "rope_original_length": int(rope["original_max_position_embeddings"]),
    }
