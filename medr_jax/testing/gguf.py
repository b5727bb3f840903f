"""Small GGUF files, written the way llama.cpp's converter writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from medr_jax.models import hf_weights
from medr_jax.models.transformer import Transformer
from medr_jax.tokens.hf_files import byte_alphabet

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("m g", "Ġ a")
NORMAL, CONTROL = 1, 3


def tokenizer_metadata(**changes: Any) -> dict[str, Any]:
    """A tokenizer of bytes, two merges and ChatML's control tokens, which come first."""
    words = [*byte_alphabet(), *(merge.replace(" ", "") for merge in MERGES)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": [*CONTROLS, *words],
        "tokenizer.ggml.token_type": [CONTROL] * len(CONTROLS) + [NORMAL] * len(words),
        "tokenizer.ggml.merges": list(MERGES),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{{ messages }}",
    } | changes


def model_metadata(model: Transformer, **changes: Any) -> dict[str, Any]:
    """What the converter notes of a Llama model."""
    config = model.config
    return {
        "llama.block_count": config.num_layers,
        "llama.context_length": config.max_length,
        "llama.embedding_length": config.embed_dim,
        "llama.feed_forward_length": config.mlp_dim,
        "llama.attention.head_count": config.num_heads,
        "llama.attention.head_count_kv": config.num_kv_heads,
        "llama.attention.layer_norm_rms_epsilon": config.norm_eps,
        "llama.attention.key_length": config.head_dim,
        "llama.attention.value_length": config.head_dim,
        "llama.rope.dimension_count": config.head_dim,
        "llama.rope.freq_base": config.rope_theta,
        "llama.vocab_size": config.vocab_size,
    } | changes


def model_tensors(model: Transformer) -> dict[str, np.ndarray]:
    """The model's weights under GGUF's names, rows of queries and keys in GGUF's order."""
    import gguf

    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_layers)
    tensors = {}
    for name, tensor in hf_weights.to_hf(config, nnx.state(model)):
        heads = {"q_proj": config.num_heads, "k_proj": config.num_kv_heads}.get(name.split(".")[-2])
        if heads:
            halves = tensor.reshape(heads, 2, -1, *tensor.shape[1:])
            tensor = halves.swapaxes(1, 2).reshape(tensor.shape)
        tensors[names.get_name(name, try_suffixes=(".weight", ".bias"))] = tensor
    return tensors


def write_gguf(
    path: Path,
    metadata: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    encoding: str = "F32",
    architecture: str = "llama",
) -> Path:
    """Writes the file; matrices are stored as ``encoding``, vectors as F32."""
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    for name, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            (writer.add_string if isinstance(value, str) else writer.add_array)(name, value)
    for name, tensor in tensors.items():
        kind = gguf.GGMLQuantizationType[encoding if tensor.ndim == 2 else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
