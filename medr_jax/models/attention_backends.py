"""Ways to compute one and the same attention, and which of them fits where it runs.

Every backend is a function of one device's arrays. ``self_attention`` splits batch and heads
over the mesh around it, so no backend knows the mesh.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from medr_jax.models.chunked_attention import KEPT, chunked_attention
from medr_jax.models.config import AttentionBackend
from medr_jax.models.softmax_attention import masked_attention
from medr_jax.sharding import partition_spec

QUERY_BLOCK = 128
"""Most queries per block of ``blocked``; a row is cut into equal blocks."""

CHUNK = 256
"""Queries, and keys, per chunk of ``chunked``."""

SPLASH_BLOCKS = (512, 256, 128)
"""Block sizes of ``splash``, the best first; the largest that divides the length is taken."""

LONGEST_BLOCKED = 2048
"""Above this length ``auto`` takes ``chunked``: ``blocked`` compiles each of its blocks."""

LONGEST_CUDNN = 8192
"""Above this length ``auto`` leaves ``cudnn``, whose mask has length^2 entries."""


def self_attention(
    q_BTNH: Float[Array, "B T N H"],
    k_BTKH: Float[Array, "B T K H"],
    v_BTKH: Float[Array, "B T K H"],
    segment_ids_BT: Int[Array, "B T"],
    backend: AttentionBackend = AttentionBackend.auto,
) -> Float[Array, "B T N H"]:
    """Causal attention within each segment of packed rows; padding is segment 0.

    On a mesh (``jax.set_mesh``) rows are split over data and fsdp, heads over tensor and
    sequence. Where the heads do not divide over sequence, queries stay split along the row and
    every device sees all keys. Key heads that are fewer than the devices are on several of them.

    Raises:
        ValueError: the backend that was asked for does not take these shapes.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1:
        compute = _backend(backend, q_BTNH, split_queries=False)
        return compute(q_BTNH, k_BTKH, v_BTKH, segment_ids_BT, segment_ids_BT, 0)
    whole_rows = ("batch", None, "attention_heads", None)
    rows, _, heads, _ = partition_spec(whole_rows, q_BTNH.shape, mesh)
    key_heads = partition_spec(whole_rows, k_BTKH.shape, mesh)[2]
    (length,) = partition_spec(("length",), q_BTNH.shape[1:2], mesh)
    length = None if "sequence" in _axes(heads) else length
    compute = _backend(backend, q_BTNH, split_queries=length is not None)
    group = q_BTNH.shape[2] // k_BTKH.shape[2]

    def one_device(q, k, v, query_segments, segments):
        if heads != key_heads:
            first_head = jax.lax.axis_index(_axes(heads)) * q.shape[2]
            index = _axes(key_heads)
            first_key_head = jax.lax.axis_index(index) * k.shape[2] if index else 0
            k, v = (_own_heads(x, first_head, first_key_head, q.shape[2], group) for x in (k, v))
        first = jax.lax.axis_index(length) * q.shape[1] if length else 0
        return compute(q, k, v, query_segments, segments, first)

    queries, keys = PartitionSpec(rows, length, heads), PartitionSpec(rows, None, key_heads)
    return jax.shard_map(
        one_device,
        in_specs=(queries, keys, keys, PartitionSpec(rows, length), PartitionSpec(rows)),
        out_specs=queries,
        check_vma=False,  # Pallas kernels do not say over which axes their results vary
    )(q_BTNH, k_BTKH, v_BTKH, segment_ids_BT, segment_ids_BT)


def _axes(entry: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The mesh axes of one entry of a PartitionSpec."""
    return (entry,) if isinstance(entry, str) else entry or ()


def _own_heads(
    k_BSKH: jax.Array, first_head: jax.Array, first_key_head: jax.Array | int, N: int, group: int
) -> jax.Array:
    """The key heads that ``N`` query heads from ``first_head`` on use, each for as many."""
    shared = math.gcd(N, group)  # query heads in a row that surely have one key head in common
    index = (first_head + jnp.arange(0, N, shared)) // group - first_key_head
    return jnp.take(k_BSKH, index, axis=2)


def _backend(backend: AttentionBackend, q_BTNH: jax.Array, *, split_queries: bool) -> Callable:
    """The function of a backend; ``auto`` goes by the mesh's platform, the length and the type.

    Not by ``jax.default_backend()``, which is the compiling machine's, nor by
    ``jax.lax.platform_dependent``: differentiated inside a scan, JAX 0.10 keeps what the
    branches of all platforms would need for the backward pass.
    """
    _, T, _, H = q_BTNH.shape
    if backend is AttentionBackend.auto:
        backend = _auto(mesh_platform(), T, H, q_BTNH.dtype, split_queries)
    if split_queries and backend in (
        *(AttentionBackend.blocked, AttentionBackend.cudnn, AttentionBackend.splash),
    ):
        raise ValueError(
            f"model.attention={backend.value}: the heads do not divide over mesh.sequence, and "
            "queries split along the row are only for einsum and chunked; use auto"
        )
    problem = _splash_problem(T, H) if backend is AttentionBackend.splash else ""
    if backend is AttentionBackend.cudnn:
        problem = _cudnn_problem(T, H, q_BTNH.dtype)
    if problem:
        raise ValueError(f"model.attention={backend.value}: {problem}")
    return _BACKENDS[backend]


def _auto(
    platform: str, length: int, head_dim: int, dtype: jnp.dtype, split_queries: bool
) -> AttentionBackend:
    if not split_queries:
        # The kernel's own backward pass rounds float32 to bfloat16.
        if platform == "tpu" and dtype == jnp.bfloat16 and not _splash_problem(length, head_dim):
            return AttentionBackend.splash
        fits = length <= LONGEST_CUDNN and not _cudnn_problem(length, head_dim, dtype)
        if platform in ("gpu", "cuda") and fits:
            return AttentionBackend.cudnn
    if length <= QUERY_BLOCK:
        return AttentionBackend.einsum
    if length <= LONGEST_BLOCKED and not split_queries:
        return AttentionBackend.blocked
    return AttentionBackend.chunked


def mesh_platform() -> str:
    """Platform of the devices of the current mesh, such as "tpu"; "" without a mesh.

    True also where a program is compiled for devices that this machine does not have.
    """
    device = jax.sharding.get_abstract_mesh().abstract_device
    return device.platform if device is not None else ""


def _einsum(q, k, v, query_segments, segments, first_query, *, block: int = 0):
    """All keys at once; with ``block``, that many queries at a time see only keys before their
    end, which saves up to half of the work."""
    B, T, N, H = q.shape
    S, K = k.shape[1:3]
    q = q.reshape(B, T, K, N // K, H).transpose(0, 2, 3, 1, 4)
    k, v = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3)
    blocks = []
    for start in range(0, T, block or T):
        end = min(start + (block or T), T)
        seen = end if block else S
        places = first_query + jnp.arange(start, end)
        causal = places[:, None] >= jnp.arange(seen)[None, :]
        same = query_segments[:, start:end, None] == segments[:, None, :seen]
        part = q[..., start:end, :], k[:, :, :seen], v[:, :, :seen]
        blocks.append(masked_attention(*part, causal & same))
    out = blocks[0] if len(blocks) == 1 else jnp.concatenate(blocks, axis=3)
    return out.transpose(0, 3, 1, 2, 4).reshape(B, T, N, H)


def _blocked(q, *others):
    T = q.shape[1]
    return _einsum(q, *others, block=-(-T // -(-T // QUERY_BLOCK)))


def _chunked(*arguments):
    return chunked_attention(*arguments, chunk=CHUNK)


def _splash_problem(length: int, head_dim: int) -> str:
    if length % SPLASH_BLOCKS[-1] or head_dim % 64:
        return (
            f"rows of {length} tokens and heads of {head_dim} numbers; the length must be a "
            f"multiple of {SPLASH_BLOCKS[-1]} (data.row_length), the head of 64; use auto"
        )
    return ""


def _splash(q, k, v, query_segments, segments, first_query):
    """The Pallas kernel of JAX for TPUs; interpreted, slowly, where the mesh is of CPUs."""
    # Imported here: TPU kernels are no business of a run that does not use them.
    from jax.experimental.pallas.ops.tpu.splash_attention import (
        splash_attention_kernel as kernel_lib,
    )
    from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as masks

    T, N, H = q.shape[1:]
    block = next(size for size in SPLASH_BLOCKS if T % size == 0)
    names = ("block_q", "block_kv", "block_kv_compute", "block_q_dkv", "block_kv_dkv")
    names += ("block_kv_dkv_compute", "block_q_dq", "block_kv_dq")
    kernel = kernel_lib.make_splash_mha(
        masks.MultiHeadMask([masks.CausalMask((T, T))] * N),
        head_shards=1,
        q_seq_shards=1,
        block_sizes=kernel_lib.BlockSizes(**dict.fromkeys(names, block)),
        residual_checkpoint_name=KEPT,
        interpret=mesh_platform() == "cpu",
    )
    ids = kernel_lib.SegmentIds(q=query_segments, kv=segments)
    q, k, v = (x.swapaxes(1, 2) for x in (q * H**-0.5, k, v))
    return jax.vmap(kernel)(q, k, v, segment_ids=ids).swapaxes(1, 2)


def _cudnn_problem(length: int, head_dim: int, dtype: jnp.dtype) -> str:
    if head_dim % 8 or head_dim > 128 or length % 2 or dtype not in (jnp.bfloat16, jnp.float16):
        return (
            f"rows of {length} tokens, heads of {head_dim} numbers, {jnp.dtype(dtype).name}; the "
            "length must be even, the head a multiple of 8 up to 128, and model.dtype=bfloat16"
        )
    return ""


def _cudnn(q, k, v, query_segments, segments, first_query):
    """cuDNN's fused attention through ``jax.nn``.

    Segments enter as a mask, which cuDNN takes as a dense bias: 2 * length^2 bytes a row (128 MB
    at 8k), shared by all heads. Its packed layout without one is no public function of JAX.
    """
    same = query_segments[:, None, :, None] == segments[:, None, None, :]
    return jax.nn.dot_product_attention(q, k, v, mask=same, is_causal=True, implementation="cudnn")


_BACKENDS = {
    AttentionBackend.einsum: _einsum,
    AttentionBackend.blocked: _blocked,
    AttentionBackend.chunked: _chunked,
    AttentionBackend.splash: _splash,
    AttentionBackend.cudnn: _cudnn,
}
