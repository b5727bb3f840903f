"""What the engine runs on the device: functions of a cache, of fixed shapes.

``prefill`` and ``decode`` are the model's work. ``share`` and ``swap`` move keys and values:
a prompt that another rollout has computed already, and rows into the slots that decode.

Where the mesh only splits rows (axis ``data``), each device runs these functions on the slots
that it holds, without a word to the others: slot numbers are counted within such a part, and a
loop ends when the part is done. On other meshes XLA splits the whole.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int, UInt32

from medr_jax.models.config import ModelConfig
from medr_jax.models.kv_cache import Extension, KVCache
from medr_jax.models.transformer import Transformer
from medr_jax.sampling.config import EngineConfig
from medr_jax.sampling.logits import sample, turn_keys
from medr_jax.sharding import constrain

PART = "data"
"""The mesh axis that splits slots into parts."""

_ROWS_WORTH_TWO_SIZES = 4

_PASS = 128
"""What a pass through the model costs beside its work, in tokens. Measured on two CPU cores: 150
with a million parameters, 74 with 12 million (docs/rollouts.md)."""

_SLOTS = PartitionSpec(None, PART)
_CACHE = KVCache(_SLOTS, _SLOTS, _SLOTS, _SLOTS, PartitionSpec(PART))


class Sizes(NamedTuple):
    """Shapes of dispatches, counted within a part."""

    parts: int
    slots: int
    decode_rows: tuple[int, ...]  # ascending
    prefill_rows: tuple[int, ...]  # ascending
    prefill_widths: tuple[int, ...]  # ascending
    in_blocks: bool  # whether a prefill may go over its rows block by block
    shares: bool  # whether prompts are copied from slot to slot

    def decode_rows_for(self, count: int) -> int:
        """The least size that holds so many rows, else the largest."""
        return next((size for size in self.decode_rows if size >= count), self.decode_rows[-1])

    def passes(self, counts: Sequence[int], size: int) -> int:
        """Passes of ``size`` rows, of all parts together, that feed so many rows of each."""
        each = [-(-count // size) for count in counts]
        # Block by block a part makes as many as it needs, and leaves its cores to the others.
        alone = self.in_blocks and size < self.prefill_rows[-1]
        return sum(each) if alone else len(each) * max(each)

    def prefill_rows_for(self, counts: Sequence[int], width: int) -> int:
        """Rows of a pass, so that feeding ``width`` tokens to so many rows of each part costs
        least."""

        def cost(size: int) -> int:
            return self.passes(counts, size) * (size * width + _PASS)

        most = self.prefill_rows[-1]
        return most if min(counts) >= most else min(self.prefill_rows, key=cost)

    def width(self, count: int) -> int:
        """The least prefill width that holds so many tokens, else the largest."""
        widths = self.prefill_widths
        return next((width for width in widths if width >= count), widths[-1])


def sizes(config: EngineConfig, mesh: Mesh) -> Sizes:
    """One part for each device where the mesh splits rows only, and evenly; else one in all.

    Devices that work on a row together, or on rows of which they hold parts of the weights, take
    all slots in their places every time: rows do not move between them.
    """
    parts = mesh.shape[PART]
    if mesh.size != parts or config.num_slots % parts:
        parts = 1
    slots = config.num_slots // parts
    widths = tuple(sorted({min(width, config.max_length) for width in config.prefill_widths}))
    if parts == 1 and mesh.shape[PART] * mesh.shape["fsdp"] > 1:
        return Sizes(1, slots, (slots,), (slots,), widths, False, shares=False)
    decode_rows = {-(-rows // parts) for rows in config.decode_rows or [config.num_slots]}
    most = min(-(-config.prefill_rows // parts), slots)
    # Results of tools come in a few at a time: a quarter of the rows is often enough.
    prefill_rows = (most // 4, most) if most >= _ROWS_WORTH_TWO_SIZES else (most,)
    in_blocks = mesh.size == parts and mesh.devices.flat[0].platform == "cpu"
    decode_rows = tuple(sorted(decode_rows))
    return Sizes(parts, slots, decode_rows, prefill_rows, widths, in_blocks, config.share_prompts)


def new_cache(model: ModelConfig, config: EngineConfig, mesh: Mesh) -> KVCache:
    """Empty slots, on the devices of their parts."""
    places = None
    if sizes(config, mesh).parts > 1:
        places = jax.tree.map(lambda spec: NamedSharding(mesh, spec), _CACHE)
    create = functools.partial(KVCache.create, model, config.num_slots, config.max_length)
    return jax.jit(create, out_shardings=places)()


class Programs(NamedTuple):
    """Functions of parameters, a cache and one array per argument; each returns the cache."""

    clear: Callable
    share: Callable
    swap: Callable
    prefill: Callable
    prefill_in_blocks: Callable
    decode: Callable


def build(
    graph: Any,
    config: EngineConfig,
    mesh: Mesh,
    stop_ids: Sequence[int],
    banned_ids: Sequence[int],
) -> Programs:
    """The functions for this mesh, to be jitted with the cache donated."""
    found = sizes(config, mesh)
    one = Programs(
        clear=clear,
        share=share,
        swap=swap,
        prefill=functools.partial(prefill, graph, 0),
        prefill_in_blocks=functools.partial(prefill, graph, found.prefill_rows[0]),
        decode=functools.partial(decode, graph, config, stop_ids, banned_ids),
    )
    if found.parts == 1:
        return one
    return Programs(*(_over_parts(function, mesh, function is one.decode) for function in one))


def _over_parts(function: Callable, mesh: Mesh, has_chunk: bool) -> Callable:
    """Each part's slots and rows by themselves; arrays are split along their first axis."""

    def run(params: Any, cache: KVCache, *arrays: jax.Array | None) -> Any:
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(PartitionSpec(), _CACHE, *(PartitionSpec(PART) for _ in arrays)),
            out_specs=(_CACHE, _SLOTS) if has_chunk else _CACHE,
            check_vma=False,  # the parts' loops do not run in step
        )(params, cache, *arrays)

    return run


def prefill(
    graph: Any,
    block: int,
    params: Any,
    cache: KVCache,
    tokens_BT: Int[Array, "B T"],
    num_new_B: Int[Array, " B"],
    at_prompt_B: Bool[Array, " B"],
    slots_B: Int[Array, " B"] | None,
) -> KVCache:
    """The cache with new context in it; without ``slots_B``, row b is slot b.

    ``at_prompt_B``: these tokens belong to the prompt, whose end other rollouts may start from.
    With a ``block``, so many rows are fed at a time, as often as there are rows with new tokens,
    which are the first.
    """
    model = nnx.merge(graph, params)
    if block:
        new = _in_blocks(model, block, cache, tokens_BT, num_new_B, slots_B)
        cache = cache.commit(new)
    else:
        cache = model.extend(tokens_BT, cache, num_new_B, slots_B)[1]
    slots = jnp.arange(tokens_BT.shape[0]) if slots_B is None else slots_B
    return cache.keep_prompts(jnp.where(at_prompt_B, slots, cache.lengths.shape[0]))


def _in_blocks(
    model: Transformer,
    block: int,
    cache: KVCache,
    tokens_BT: Int[Array, "B T"],
    num_new_B: Int[Array, " B"],
    slots_B: Int[Array, " B"],
) -> Extension:
    """The new tokens of all rows, ``block`` rows at a time."""
    B, T = tokens_BT.shape
    layers = None if model.config.scan_layers else model.layers_apart()

    def feed(i: jax.Array, new: Extension) -> Extension:
        first = jnp.minimum(i * block, B - block)  # the last block may do rows again

        def cut(array: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice_in_dim(array, first, block)

        own = cache.extension(T, cut(num_new_B) > 0, cut(slots_B))
        own = model.grow(cut(tokens_BT), own, cut(num_new_B), layers)[1]
        return new.put(own, first)

    # The cache itself is no part of what the loop carries: it is read only.
    start = cache.extension(T, num_new_B > 0, slots_B).over(None)
    return jax.lax.fori_loop(0, -(-jnp.sum(num_new_B > 0) // block), feed, start)


def decode(
    graph: Any,
    config: EngineConfig,
    stop_ids: Sequence[int],
    banned_ids: Sequence[int],
    params: Any,
    cache: KVCache,
    tokens_B: Int[Array, " B"],
    remaining_B: Int[Array, " B"],
    words_B2: UInt32[Array, "B 2"],
    turns_B: Int[Array, " B"],
) -> tuple[KVCache, Int[Array, "2 B C"]]:
    """Up to ``config.chunk_steps`` tokens in the first B slots, where ``remaining_B > 0``.

    Returns the cache and int32 (2, B, chunk_steps): token ids, -1 where there is none, and the
    bits of their float32 logprobs.
    """
    model = nnx.merge(graph, params)
    rngs_B = turn_keys(config.seed, words_B2, turns_B)
    shape = (tokens_B.shape[0], config.chunk_steps)
    new = cache.extension(config.chunk_steps, remaining_B > 0)
    read, layers = cache.rows_of(new), model.layers_apart()

    def body(carry: tuple) -> tuple:
        index, new, tokens_B, remaining_B, ids, logprobs = carry
        active = remaining_B > 0
        new = new.over(read)
        hidden_B1D, new = model.grow(tokens_B[:, None], new, active.astype(jnp.int32), layers)
        logits_BV = model.logits(hidden_B1D[:, 0])
        sampled, logprob = sample(logits_BV, rngs_B, new.lengths_B, config, banned_ids)
        stopped = jnp.isin(sampled, jnp.asarray(stop_ids, jnp.int32))
        ids = ids.at[:, index].set(jnp.where(active, sampled, -1))
        logprobs = logprobs.at[:, index].set(logprob)
        remaining_B = jnp.where(stopped | ~active, 0, remaining_B - 1)
        return index + 1, new.over(None), sampled, remaining_B, ids, logprobs

    def more(carry: tuple) -> jax.Array:
        return (carry[0] < config.chunk_steps) & jnp.any(carry[3] > 0)

    # The cache itself is no part of what the loop carries: it is read only.
    start = (
        *(0, new.over(None), tokens_B, remaining_B),
        *(jnp.full(shape, -1, jnp.int32), jnp.zeros(shape)),
    )
    _, new, _, _, ids, logprobs = jax.lax.while_loop(more, body, start)
    chunk = jnp.stack([ids, jax.lax.bitcast_convert_type(logprobs, jnp.int32)])
    chunk = constrain(chunk, None, "batch", None)  # each process reads its own rows
    return cache.commit(new), chunk


def clear(_: Any, cache: KVCache, slots: Int[Array, " n"]) -> KVCache:
    """Empties slots; numbers out of range are ignored."""
    return cache.clear(slots)


def share(
    _: Any,
    cache: KVCache,
    sources: Int[Array, " n"],
    targets: Int[Array, " n"],
    lengths: Int[Array, " n"],
    count_1: Int[Array, " 1"],
) -> KVCache:
    """Target slots begin with the prompts that their sources hold."""
    return cache.copy_prompts(sources, targets, lengths, count_1[0])


def swap(
    _: Any,
    cache: KVCache,
    ones: Int[Array, " n"],
    others: Int[Array, " n"],
    count_1: Int[Array, " 1"],
) -> KVCache:
    """Pairs of slots exchange their rows."""
    return cache.swap(ones, others, count_1[0])
