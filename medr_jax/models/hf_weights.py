"""Hugging Face tensors in and out: one table of names and shapes, used in both directions."""

import functools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from medr_jax import artifacts, processes, sharding
from medr_jax.models import tensor_files
from medr_jax.models.config import ModelConfig
from medr_jax.models.hf_config import refuse_inexpressible, to_hf_config
from medr_jax.models.tensor_files import SafetensorsFolder, TensorSource
from medr_jax.models.transformer import Transformer, abstract_model

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
MAX_FILE_BYTES = 5 * 2**30
COMPARED_ROWS = 4096


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

    def split_as(self, spec: PartitionSpec, shape: tuple[int, ...]) -> PartitionSpec:
        """How theirs is split over a mesh on which ours, of ``shape``, is split as ``spec``.

        So that each device is given those rows and columns of theirs that it keeps of ours.
        """
        dims = iter(range(len(shape)))
        entries = []
        for size in reversed(self.shape) if self._is_matrix else self.shape:
            # Ours keeps heads apart: this dimension of theirs is one or several of ours.
            group = [next(dims)]
            while math.prod(shape[dim] for dim in group) < size:
                group.append(next(dims))
            assert all(spec[dim] is None for dim in group[1:]), "a head is split over devices"
            entries.append(spec[group[0]])
        return PartitionSpec(*(reversed(entries) if self._is_matrix else entries))

    def to_ours(self, tensor: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Theirs as ours (one layer's, if layered)."""
        return (tensor.T if self._is_matrix else tensor).reshape(shape)

    def to_theirs(self, array: np.ndarray) -> np.ndarray:
        """Our array (one layer's, if layered) as theirs."""
        if self._is_matrix:
            return _contiguous(array.reshape(self.shape[::-1]).T)
        return array.reshape(self.shape)

    @property
    def _is_matrix(self) -> bool:
        return self.layered and len(self.shape) == 2


def hf_tensors(config: ModelConfig) -> list[HFTensor]:
    """The table for this config."""
    V, D, F = config.vocab_size, config.embed_dim, config.mlp_dim
    N, K, H = config.num_heads, config.num_kv_heads, config.head_dim
    layer, attention = "model.layers.{layer}", "model.layers.{layer}.self_attn"
    rows: list[tuple[str, str, tuple[int, ...]]] = [
        ("embedding", EMBEDDING, (V, D)),
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
        rows.append(("head", HEAD, (V, D)))
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


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a checkpoint, in the order they are written."""
    return {name: entry.shape for entry in hf_tensors(config) for name in _names(entry, config)}


def from_hf(config: ModelConfig, source: TensorSource, mesh: Mesh) -> Transformer:
    """The model with these weights, in ``config.param_dtype``, placed on the mesh.

    Tensors go to the devices one by one, and of each only what this process's devices hold:
    the host never has more than one of them.

    Raises:
        ValueError: every missing, extra and misshapen tensor, in one message, before any is read.
    """
    refuse_inexpressible(config)
    _check(config, source)
    graph, shapes = nnx.split(abstract_model(config))
    places = dict(nnx.to_flat_state(sharding.shardings(shapes, mesh)))
    table = {entry.path: entry for entry in hf_tensors(config)}
    leaves = []
    for path, variable in nnx.to_flat_state(shapes):
        array = _placed(table[path], variable.get_value(), places[path].get_value(), source)
        leaves.append((path, variable.replace(array)))
    return nnx.merge(graph, nnx.from_flat_state(leaves))


def _placed(
    entry: HFTensor, target: jax.ShapeDtypeStruct, place: NamedSharding, source: TensorSource
) -> jax.Array:
    """One parameter on its devices; layers are written into the stacked array in turn."""
    shape, spec = target.shape, place.spec
    if entry.layered:
        shape, spec = shape[1:], spec[1:]
    part_place = NamedSharding(place.mesh, PartitionSpec(*spec))
    their_place = NamedSharding(place.mesh, entry.split_as(part_place.spec, shape))

    @functools.partial(jax.jit, out_shardings=part_place)
    def orient(tensor: jax.Array) -> jax.Array:
        return entry.to_ours(tensor, shape).astype(target.dtype)

    if not entry.layered:
        return orient(_read_onto(their_place, source, entry.name))
    empty, insert = _stack_writer(target.shape, target.dtype, place)
    stack = empty()
    for layer in range(target.shape[0]):
        name = entry.name.format(layer=layer)
        stack = insert(stack, orient(_read_onto(their_place, source, name)), layer)
        stack.block_until_ready()  # or the host would read ahead of the copies, and hold it all
    return stack


@functools.cache  # parameters of the same shape share the compiled programs
def _stack_writer(shape: tuple[int, ...], dtype: jnp.dtype, place: NamedSharding) -> tuple:
    """Functions that make a stacked array of zeros and that write one layer into it."""
    empty = jax.jit(lambda: jnp.zeros(shape, dtype), out_shardings=place)
    insert = jax.jit(
        lambda stack, part, layer: stack.at[layer].set(part),
        donate_argnums=0,
        out_shardings=place,
    )
    return empty, insert


def _read_onto(place: NamedSharding, source: TensorSource, name: str) -> jax.Array:
    """A tensor on the devices, in its file's dtype; those with equal parts share one read."""
    shape = source.shapes[name]
    parts: dict[tuple, np.ndarray] = {}

    def part(index: tuple[slice, ...]) -> np.ndarray:
        bounds = tuple(one.indices(size)[:2] for one, size in zip(index, shape, strict=True))
        if bounds not in parts:
            parts[bounds] = source.read(name, [slice(*pair) for pair in bounds])
        return parts[bounds]

    return jax.make_array_from_callback(shape, place, part)


def to_hf(
    config: ModelConfig, params: nnx.State, *, dtype: str = ""
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, tensor) pairs of a parameter state (or of gradients), one at a time.

    They come in their own dtype, or in ``dtype``. With several processes each gets all of them.
    """
    refuse_inexpressible(config)
    flat = dict(nnx.to_flat_state(params))
    for entry in hf_tensors(config):
        value = flat[entry.path].get_value()
        for layer, name in enumerate(_names(entry, config)):
            part = value[layer] if entry.layered else value
            yield name, entry.to_theirs(processes.to_host(part.astype(dtype or part.dtype)))


def _contiguous(array: np.ndarray) -> np.ndarray:
    """The array in C order, moved as raw bits: NumPy is slow with types it does not know."""
    bits = array.view(f"u{array.dtype.itemsize}")
    return np.ascontiguousarray(bits).view(array.dtype)


def load(path: Path, config: ModelConfig, mesh: Mesh) -> Transformer:
    """The model of this config with the weights of a folder: one or several safetensors files."""
    return from_hf(config, SafetensorsFolder(path), mesh)


def save(
    model: Transformer, path: Path, *, dtype: str = "", max_file_bytes: int = MAX_FILE_BYTES
) -> None:
    """A new folder that ``transformers`` loads: config, weights, an index when sharded.

    It appears when it is complete.
    """
    with artifacts.new_folder(path) as folder:
        write(model, folder, dtype=dtype, max_file_bytes=max_file_bytes)


def write(
    model: Transformer,
    folder: Path,
    *,
    dtype: str = "",
    max_file_bytes: int = MAX_FILE_BYTES,
    token_ids: Mapping[str, Any] | None = None,
) -> None:
    """Config and weights into an empty folder, one tensor in memory at a time.

    ``dtype`` (float32, bfloat16, float16) is that of the files; "" = the parameters' own.
    ``token_ids`` (``eos_token_id`` and so on) go into the config.
    """
    if dtype and dtype not in tensor_files.DTYPES:
        raise ValueError(f"dtype={dtype}: use one of {', '.join(tensor_files.DTYPES)}")
    config = model.config
    dtype = dtype or config.param_dtype
    hf_config = to_hf_config(config) | {"torch_dtype": dtype} | dict(token_ids or {})
    shapes = tensor_shapes(config)
    tensors = to_hf(config, nnx.state(model), dtype=dtype)
    tensor_files.write_folder(folder, shapes, dtype, tensors, max_file_bytes=max_file_bytes)
    (folder / "config.json").write_text(json.dumps(hf_config, indent=2) + "\n", encoding="utf-8")


def _names(entry: HFTensor, config: ModelConfig) -> list[str]:
    if not entry.layered:
        return [entry.name]
    return [entry.name.format(layer=index) for index in range(config.num_layers)]


def _check(config: ModelConfig, source: TensorSource) -> None:
    expected = tensor_shapes(config)
    found = {name: tuple(shape) for name, shape in source.shapes.items()}
    # Some writers store a tied output layer twice.
    twice = config.tied_embeddings and HEAD in found and found[HEAD] == found.get(EMBEDDING)
    if twice:
        del found[HEAD]
    faults = [f"missing {name}" for name in sorted(expected.keys() - found.keys())]
    faults += [f"extra {name}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        if found[name] != expected[name]:
            faults.append(f"{name} is {found[name]}, not {expected[name]}")
    if faults:
        raise ValueError(f"{len(faults)} tensors do not fit the config: {'; '.join(faults)}")
    if twice and not _equal(source, HEAD, EMBEDDING):
        raise ValueError(
            f"{HEAD} differs from {EMBEDDING}, but the config ties them; set "
            "tie_word_embeddings to false in config.json, and model.tied_embeddings=false"
        )


def _equal(source: TensorSource, one: str, other: str) -> bool:
    """Whether two matrices of the same shape hold the same, compared a block at a time."""
    rows, columns = source.shapes[one]
    for start in range(0, rows, COMPARED_ROWS):
        index = [slice(start, min(start + COMPARED_ROWS, rows)), slice(0, columns)]
        if not np.array_equal(source.read(one, index), source.read(other, index)):
            return False
    return True
