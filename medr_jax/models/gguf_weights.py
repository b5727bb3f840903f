"""Weights from a GGUF file of the ``llama`` architecture: SmolLM2, Llama 2 and 3, and their kin."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from medr_jax.gguf_file import GGUFFile
from medr_jax.models import hf_weights
from medr_jax.models.config import Activation, ModelConfig, RopeScaling
from medr_jax.models.layers import rope_frequencies
from medr_jax.models.transformer import Transformer

ARCHITECTURE = "llama"
ROPE_FACTORS = "rope_freqs.weight"
"""Llama 3's divisor of each rotary frequency, computed when the file was written."""

_NEEDED = {
    *("block_count", "context_length", "embedding_length", "feed_forward_length"),
    *("attention.head_count", "attention.layer_norm_rms_epsilon"),
}
_MAPPED = _NEEDED | {
    *("attention.head_count_kv", "attention.key_length", "rope.freq_base", "vocab_size"),
}
_IRRELEVANT = {"rope.scaling.original_context_length", "rope.scaling.finetuned"}
_REQUIRED_VALUES: dict[str, tuple[Any, ...]] = {
    "rope.scaling.type": ("none",),
    "rope.scaling.factor": (0.0, 1.0),
    "rope.scale_linear": (1.0,),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "attention.sliding_window": (0,),
}
"""Fields that change the computation, and the values with which it is ours."""

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Hugging Face module -> GGUF's; in a layer, ``model.layers.3.`` there is ``blk.3.`` here."""


def from_gguf_metadata(
    file: GGUFFile, *, dtype: str = "float32", param_dtype: str = "float32"
) -> ModelConfig:
    """The model that the file's metadata describe.

    Raises:
        ValueError: another architecture, or a field this model does not have, by name.
    """
    architecture = file.need("general.architecture")
    if architecture != ARCHITECTURE:
        raise ValueError(
            f"{file.path}: general.architecture={architecture!r} is not supported; only "
            f"{ARCHITECTURE!r} is. Get the model as Hugging Face safetensors: weights=hf"
        )
    fields = _fields(file)
    width, heads = fields["embedding_length"], fields["attention.head_count"]
    head_dim = fields.get("attention.key_length") or width // max(heads, 1)  # 0 is refused below
    for name in ("attention.value_length", "rope.dimension_count"):
        if fields.get(name, head_dim) != head_dim:
            raise ValueError(
                f"{file.path}: llama.{name}={fields[name]} is not supported; it must be the "
                f"head size, {head_dim}"
            )
    shapes = file.shapes
    config = ModelConfig(
        vocab_size=shapes["token_embd.weight"][0] if "token_embd.weight" in shapes else 0,
        max_length=fields["context_length"],
        num_layers=fields["block_count"],
        embed_dim=width,
        num_heads=heads,
        num_kv_heads=fields.get("attention.head_count_kv", heads),
        head_dim=head_dim,
        mlp_dim=fields["feed_forward_length"],
        activation=Activation.silu,
        qkv_bias="blk.0.attn_q.bias" in shapes,
        tied_embeddings="output.weight" not in shapes,
        norm_eps=_shortest(fields["attention.layer_norm_rms_epsilon"]),
        rope_theta=_shortest(fields.get("rope.freq_base", 10_000.0)),
        init_std=0.02,
        dtype=dtype,
        param_dtype=param_dtype,
    )
    return _scaled_rope(file, config) if ROPE_FACTORS in shapes else config


def load(path: str | Path, config: ModelConfig, mesh: Mesh) -> Transformer:
    """The model in the file, in ``config.param_dtype``, placed on the mesh tensor by tensor.

    Raises:
        ValueError: the file is cut short, or its tensors are not those of ``config``.
    """
    file = GGUFFile(path)
    file.check_whole()
    return hf_weights.from_hf(config, GGUFSource(file, config), mesh)


class GGUFSource:
    """The file's tensors under Hugging Face's names and in its order, one at a time in memory.

    llama.cpp rotates neighbouring rows (2i, 2i + 1) where Hugging Face, like this model, rotates
    (i, i + head_dim / 2); so it stores the rows of queries and keys in another order, which is
    undone here. Without that, SmolLM2 still writes English, only much worse.
    """

    def __init__(self, file: GGUFFile, config: ModelConfig):
        self._file = file
        self._heads = {"attn_q": config.num_heads, "attn_k": config.num_kv_heads}
        self._names = {_hf_name(name): name for name in file.shapes if name != ROPE_FACTORS}
        self.shapes = {name: file.shapes[ours] for name, ours in self._names.items()}
        self._last = "", np.empty(0)  # devices ask for their parts of a tensor one after another

    def read(self, name: str, index: Sequence[slice]) -> np.ndarray:
        """The part of a tensor that ``index``, a slice for each dimension, cuts out."""
        if self._last[0] != name:
            theirs = self._names[name]
            tensor = self._file.read(theirs)
            heads = self._heads.get(theirs.split(".")[-2])
            self._last = name, half_split_rows(tensor, heads) if heads else tensor
        return self._last[1][tuple(index)]


def half_split_rows(tensor: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head from (0, H/2, 1, H/2 + 1, ...) to (0, 1, 2, ...).

    ``tensor`` is (heads * H, ...), a weight or a bias.
    """
    pairs = tensor.reshape(heads, -1, 2, *tensor.shape[1:])
    return pairs.swapaxes(1, 2).reshape(tensor.shape)


def _fields(file: GGUFFile) -> dict[str, Any]:
    """``llama.*`` without the prefix, checked by name."""
    prefix = f"{ARCHITECTURE}."
    fields = {
        name.removeprefix(prefix): value
        for name, value in file.metadata.items()
        if name.startswith(prefix)
    }
    for name in sorted(_NEEDED - fields.keys()):
        file.need(prefix + name)
    checked_later = {"attention.value_length", "rope.dimension_count"}
    known = _MAPPED | _IRRELEVANT | checked_later
    faults = [
        f"llama.{name}={value!r}"
        for name, value in fields.items()
        if (value not in _REQUIRED_VALUES[name] if name in _REQUIRED_VALUES else name not in known)
        or (name in _MAPPED and isinstance(value, list))  # a number for each layer
    ]
    if faults:
        raise ValueError(f"{file.path}: this model does not have {', '.join(faults)}")
    return fields


def _scaled_rope(file: GGUFFile, config: ModelConfig) -> ModelConfig:
    """The config with Llama 3's rope scaling, when that is what the file's divisors are."""
    divisors = file.read(ROPE_FACTORS)
    plain = rope_frequencies(config)
    config.rope_scaling, config.rope_factor = RopeScaling.llama3, float(divisors.max())
    if divisors.shape != plain.shape or not np.allclose(
        plain / divisors, rope_frequencies(config), rtol=1e-5, atol=0
    ):
        raise ValueError(
            f"{file.path}: {ROPE_FACTORS} is not Llama 3's rope scaling (low 1, high 4, original "
            f"length 8192), the only one supported"
        )
    return config


def _hf_name(name: str) -> str:
    """The Hugging Face name of a tensor; unknown ones keep theirs and are reported as extra."""
    theirs = {ours: hf for hf, ours in _NAMES.items()}
    layer, module, kind = re.fullmatch(r"(?:blk\.(\d+)\.)?(.*?)(\.\w+)?", name).groups("")
    if module not in theirs:
        return name
    return f"model.layers.{layer}." * bool(layer) + theirs[module] + kind


def _shortest(value: float) -> float:
    """The metadata's float32 as the number that was meant: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))
