"""Attention in memory that grows with the length, not with its square; plain JAX, any backend.

Online softmax over chunks of keys for one chunk of queries at a time (FlashAttention,
arXiv:2205.14135; the backward pass recomputes scores from the saved log-sum-exp as in
FlashAttention-2, arXiv:2307.08691). Chunks of keys that no query of a chunk may see, being later
or of other segments, are not visited.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, Int

from medr_jax.models.precision import exact

KEPT = "attention"
"""Name of the arrays that spare the backward pass a second forward one (``jax.checkpoint``)."""

MASKED = -0.7 * float(jnp.finfo(jnp.float32).max)
"""Score of a key that may not be seen; finite, so that differences of scores are."""

PADDING = -1
"""Segment of the positions that fill the last chunk."""


class _Places(NamedTuple):
    """What tells which query sees which key, chunk by chunk."""

    segments_mBc: jax.Array  # of the keys, (key chunks, B, chunk)
    query_segments_nBc: jax.Array
    first_query: jax.Array  # () int: place of the first query among the keys
    starts_n: jax.Array  # first key chunk to visit for a chunk of queries
    ends_n: jax.Array  # one after the last


def chunked_attention(
    q_BTNH: Float[Array, "B T N H"],
    k_BSKH: Float[Array, "B S K H"],
    v_BSKH: Float[Array, "B S K H"],
    query_segments_BT: Int[Array, "B T"],
    segments_BS: Int[Array, "B S"],
    first_query: int | jax.Array = 0,
    *,
    chunk: int,
) -> Float[Array, "B T N H"]:
    """Causal attention within segments; query t has place ``first_query + t`` among the keys."""
    B, T, N, H = q_BTNH.shape
    S, K = k_BSKH.shape[1:3]
    chunk = min(chunk, S)
    q = _chunks(q_BTNH * H**-0.5, chunk).reshape(-1, B, chunk, K, N // K, H)
    places = _places(
        _chunks(query_segments_BT, chunk, PADDING),
        _chunks(segments_BS, chunk, PADDING),
        jnp.asarray(first_query, jnp.int32),
    )
    out = _attend(
        q.transpose(0, 1, 3, 4, 2, 5),
        _chunks(k_BSKH, chunk).swapaxes(2, 3),
        _chunks(v_BSKH, chunk).swapaxes(2, 3),
        places,
    )
    out = out.transpose(1, 0, 4, 2, 3, 5).reshape(B, -1, N, H)
    return out[:, :T]


def _chunks(array: jax.Array, chunk: int, fill: int = 0) -> jax.Array:
    """(B, T, ...) to (chunks, B, chunk, ...), the last one filled up."""
    B, T = array.shape[:2]
    count = -(-T // chunk)
    widths = ((0, 0), (0, count * chunk - T)) + ((0, 0),) * (array.ndim - 2)
    filled = jnp.pad(array, widths, constant_values=fill)
    return filled.reshape(B, count, chunk, *array.shape[2:]).swapaxes(0, 1)


def _places(query_segments: jax.Array, segments: jax.Array, first_query: jax.Array) -> _Places:
    count, _, chunk = segments.shape
    last = first_query + (jnp.arange(query_segments.shape[0]) + 1) * chunk - 1
    ends = jnp.minimum(last // chunk + 1, count)
    # Ranges of segment numbers overlap wherever two chunks share a segment.
    query_low, query_high = query_segments.min(2)[:, None], query_segments.max(2)[:, None]
    overlap = (query_low <= segments.max(2)[None]) & (segments.min(2)[None] <= query_high)
    starts = jnp.minimum(jnp.argmax(jnp.any(overlap, axis=2), axis=1), ends - 1)
    return _Places(segments, query_segments, first_query, starts, ends)


def _scores(q_BKGcH: jax.Array, k_BKcH: jax.Array, places: _Places, i: jax.Array, j: jax.Array):
    """Masked float32 scores (B, K, G, c, s) of query chunk i against key chunk j."""
    chunk = k_BKcH.shape[2]
    scores = jnp.einsum("BKGcH,BKsH->BKGcs", q_BKGcH, k_BKcH, preferred_element_type=jnp.float32)
    queries = places.first_query + i * chunk + jnp.arange(chunk)
    seen = queries[:, None] >= j * chunk + jnp.arange(chunk)
    same = places.query_segments_nBc[i][:, :, None] == places.segments_mBc[j][:, None]
    return jnp.where((seen & same)[:, None, None], scores, MASKED)


@jax.custom_vjp
def _attend(q_nBKGcH: jax.Array, k_mBKcH: jax.Array, v_mBKcH: jax.Array, places: _Places):
    return _forward(q_nBKGcH, k_mBKcH, v_mBKcH, places)[0]


def _forward(q_nBKGcH: jax.Array, k_mBKcH: jax.Array, v_mBKcH: jax.Array, places: _Places):
    """Outputs like ``q_nBKGcH``, and the log-sum-exp of each query's scores."""

    def one(inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        i, q = inputs

        def visit(j: jax.Array, carry: tuple) -> tuple:
            top, total, out = carry
            scores = _scores(q, k_mBKcH[j], places, i, j)
            new_top = jnp.maximum(top, scores.max(-1))
            weights = jnp.exp(scores - new_top[..., None])
            keep = jnp.exp(top - new_top)
            part = _weighted(weights, v_mBKcH[j])
            total = keep * total + weights.sum(-1)
            return new_top, total, keep[..., None] * out + part

        zeros = jnp.zeros(q.shape[:-1], jnp.float32)
        start = (zeros + MASKED, zeros, jnp.zeros(q.shape, jnp.float32))
        top, total, out = jax.lax.fori_loop(places.starts_n[i], places.ends_n[i], visit, start)
        return (out / total[..., None]).astype(q.dtype), top + jnp.log(total)

    return jax.lax.map(one, (jnp.arange(q_nBKGcH.shape[0]), q_nBKGcH))


def _weighted(weights_BKGcs: jax.Array, v_BKsH: jax.Array) -> jax.Array:
    return jnp.einsum(
        "BKGcs,BKsH->BKGcH",
        weights_BKGcs.astype(v_BKsH.dtype),
        v_BKsH,
        preferred_element_type=jnp.float32,
    )


def _attend_fwd(q: jax.Array, k: jax.Array, v: jax.Array, places: _Places):
    out, lse = (checkpoint_name(kept, KEPT) for kept in _forward(q, k, v, places))
    return out, (q, k, v, places, out, lse)


def _attend_bwd(saved: tuple, g_nBKGcH: jax.Array):
    q, k, v, places, out, lse = saved
    product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)

    def one(sums: tuple[jax.Array, jax.Array], inputs: tuple) -> tuple:
        i, q, g, lse, out = inputs
        delta = jnp.sum(g.astype(jnp.float32) * out.astype(jnp.float32), axis=-1, keepdims=True)

        def visit(j: jax.Array, carry: tuple) -> tuple:
            dq, dk, dv = carry
            weights = jnp.exp(_scores(q, k[j], places, i, j) - lse[..., None])
            d_weights = product("BKGcH,BKsH->BKGcs", g, v[j])
            d_scores = (weights * (d_weights - delta)).astype(q.dtype)
            dq = dq + product("BKGcs,BKsH->BKGcH", d_scores, k[j])
            dk = dk.at[j].add(product("BKGcs,BKGcH->BKsH", d_scores, q))
            dv = dv.at[j].add(product("BKGcs,BKGcH->BKsH", weights.astype(g.dtype), g))
            return dq, dk, dv

        start = (jnp.zeros(q.shape, jnp.float32), *sums)
        dq, *sums = jax.lax.fori_loop(places.starts_n[i], places.ends_n[i], visit, start)
        return tuple(sums), dq.astype(q.dtype)

    zeros = (jnp.zeros(k.shape, jnp.float32), jnp.zeros(v.shape, jnp.float32))
    with exact(q.dtype):
        (dk, dv), dq = jax.lax.scan(one, zeros, (jnp.arange(q.shape[0]), q, g_nBKGcH, lse, out))
    return dq, dk.astype(k.dtype), dv.astype(v.dtype), None


_attend.defvjp(_attend_fwd, _attend_bwd)
