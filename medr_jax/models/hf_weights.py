"""Hugging Face tensors in and out: one table of names and shapes, used in both directions."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import safetensors
import safetensors.numpy
from flax import nnx
from jax.sharding import Mesh

from medr_jax import jsonl, sharding
from medr_jax.models.config import ModelConfig
from medr_jax.models.hf_config import refuse_inexpressible, to_hf_config
from medr_jax.models.transformer import Transformer, abstract_model

SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"


class HFTensor(NamedTuple):
    """A parameter of ours and the tensor, one per layer if ``layered``, that holds it there.

    Matrices are stored there as (out, in), here as (in, out) with heads kept apart.
    """

    path: tuple[str, ...]
    name: str  # with {layer} where layered
    shape: tuple[int, ...]  # theirs

    @property
    def layered(self) -> bool:
        """Whether ours stacks one tensor of theirs per layer."""
        return "{layer}" in self.name

    def to_ours(self, tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Their tensor in our orientation and shape; embeddings and vectors stay as they are."""
        return (tensor.T if self._is_matrix else tensor).reshape(shape)

    def to_theirs(self, array: np.ndarray) -> np.ndarray:
        """The inverse of ``to_ours``."""
        if self._is_matrix:
            return np.ascontiguousarray(array.reshape(self.shape[::-1]).T)
        return np.ascontiguousarray(array.reshape(self.shape))

    @property
    def _is_matrix(self) -> bool:
        return self.layered and len(self.shape) == 2


def hf_tensors(config: ModelConfig) -> list[HFTensor]:
    """The table for this config."""
    V, D, F = config.vocab_size, config.embed_dim, config.mlp_dim
    N, K, H = config.num_heads, config.num_kv_heads, config.head_dim
    layer, attention = "model.layers.{layer}", "model.layers.{layer}.self_attn"
    rows: list[tuple[str, str, tuple[int, ...]]] = [
        ("embedding", "model.embed_tokens.weight", (V, D)),
        ("final_norm.scale", "model.norm.weight", (D,)),
        ("layers.attention_norm.scale", f"{layer}.input_layernorm.weight", (D,)),
        ("layers.mlp_norm.scale", f"{layer}.post_attention_layernorm.weight", (D,)),
        ("layers.attention.query", f"{attention}.q_proj.weight", (N * H, D)),
        ("layers.attention.key", f"{attention}.k_proj.weight", (K * H, D)),
        ("layers.attention.value", f"{attention}.v_proj.weight", (K * H, D)),
        ("layers.attention.out", f"{attention}.o_proj.weight", (D, N * H)),
        ("layers.mlp.gate", f"{layer}.mlp.gate_proj.weight", (F, D)),
        ("layers.mlp.up", f"{layer}.mlp.up_proj.weight", (F, D)),
        ("layers.mlp.down", f"{layer}.mlp.down_proj.weight", (D, F)),
    ]
    if not config.tied_embeddings:
        rows.append(("head", "lm_head.weight", (V, D)))
    if config.qkv_bias:
        rows += [
            ("layers.attention.query_bias", f"{attention}.q_proj.bias", (N * H,)),
            ("layers.attention.key_bias", f"{attention}.k_proj.bias", (K * H,)),
            ("layers.attention.value_bias", f"{attention}.v_proj.bias", (K * H,)),
        ]
    if config.qk_norm:
        rows += [
            ("layers.attention.query_norm.scale", f"{attention}.q_norm.weight", (H,)),
            ("layers.attention.key_norm.scale", f"{attention}.k_norm.weight", (H,)),
        ]
    return [HFTensor(tuple(path.split(".")), name, shape) for path, name, shape in rows]


def from_hf(config: ModelConfig, tensors: Mapping[str, np.ndarray], mesh: Mesh) -> Transformer:
    """The model with these weights, in ``config.param_dtype``, placed on the mesh.

    Raises:
        ValueError: every missing, extra and misshapen tensor, in one message.
    """
    refuse_inexpressible(config)
    _check(config, tensors)
    graph, shapes = nnx.split(abstract_model(config))
    places = nnx.to_flat_state(sharding.shardings(shapes, mesh))
    targets = dict(nnx.to_flat_state(shapes))
    table = {entry.path: entry for entry in hf_tensors(config)}
    leaves = []
    for path, place in places:
        target, entry = targets[path].get_value(), table[path]
        names = _names(entry, config)
        shape = target.shape[1:] if entry.layered else target.shape
        parts = [entry.to_ours(np.asarray(tensors[name]), shape) for name in names]
        array = np.stack(parts) if entry.layered else parts[0]
        array = jax.device_put(array.astype(target.dtype), place.get_value())
        leaves.append((path, targets[path].replace(array)))
    return nnx.merge(graph, nnx.from_flat_state(leaves))


def to_hf(config: ModelConfig, params: nnx.State) -> Iterator[tuple[str, np.ndarray]]:
    """(name, tensor) pairs of a parameter state (or of gradients), one at a time."""
    refuse_inexpressible(config)
    flat = dict(nnx.to_flat_state(params))
    for entry in hf_tensors(config):
        value = flat[entry.path].get_value()
        parts = value if entry.layered else [value]
        for name, part in zip(_names(entry, config), parts, strict=True):
            yield name, entry.to_theirs(np.asarray(part))


def load(path: Path, config: ModelConfig, mesh: Mesh) -> Transformer:
    """The model of this config with the weights of a folder: one or several safetensors files."""
    return from_hf(config, read_safetensors(path), mesh)


def save(model: Transformer, path: Path, *, max_file_bytes: int = 5 * 2**30) -> None:
    """Writes a folder that ``transformers`` loads: config, weights, an index when sharded."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    hf_config = to_hf_config(model.config)
    files: list[dict[str, np.ndarray]] = [{}]
    for name, tensor in to_hf(model.config, nnx.state(model)):
        held = sum(part.nbytes for part in files[-1].values())
        if files[-1] and held + tensor.nbytes > max_file_bytes:
            files.append({})
        files[-1][name] = tensor
    names = [f"model-{i:05}-of-{len(files):05}.safetensors" for i in range(1, len(files) + 1)]
    if len(files) == 1:
        names = [SINGLE_FILE]
    else:
        placed = {key: name for name, part in zip(names, files, strict=True) for key in part}
        size = sum(tensor.nbytes for part in files for tensor in part.values())
        index = {"metadata": {"total_size": size}, "weight_map": placed}
        (path / INDEX_FILE).write_bytes(jsonl.encode(index))
    for name, part in zip(names, files, strict=True):
        safetensors.numpy.save_file(part, path / name, metadata={"format": "pt"})
    (path / "config.json").write_text(json.dumps(hf_config, indent=2) + "\n")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file, or of a folder with one file or an index of several."""
    path = Path(path)
    if path.is_file():
        files = [path]
    elif (path / INDEX_FILE).is_file():
        weight_map = json.loads((path / INDEX_FILE).read_text())["weight_map"]
        files = [path / name for name in sorted(set(weight_map.values()))]
    else:
        files = [path / SINGLE_FILE]
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file}: no such file; the checkpoint is incomplete")
        try:
            tensors |= safetensors.numpy.load_file(file)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{file}: not a readable safetensors file: {error}") from error
    return tensors


def _names(entry: HFTensor, config: ModelConfig) -> list[str]:
    if not entry.layered:
        return [entry.name]
    return [entry.name.format(layer=index) for index in range(config.num_layers)]


def _check(config: ModelConfig, tensors: Mapping[str, np.ndarray]) -> None:
    expected = {name: entry.shape for entry in hf_tensors(config) for name in _names(entry, config)}
    faults = [f"missing {name}" for name in sorted(expected.keys() - tensors.keys())]
    for name in sorted(tensors.keys() - expected.keys()):
        tied = name == "lm_head.weight" and config.tied_embeddings
        # Some writers store a tied output layer twice; another one would be lost.
        if tied and np.array_equal(tensors[name], tensors["model.embed_tokens.weight"]):
            continue
        faults.append(f"extra {name}")
    for name in sorted(expected.keys() & tensors.keys()):
        if tuple(tensors[name].shape) != expected[name]:
            faults.append(f"{name} is {tuple(tensors[name].shape)}, not {expected[name]}")
    if faults:
        raise ValueError(f"{len(faults)} tensors do not fit the config: {'; '.join(faults)}")
