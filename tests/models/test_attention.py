"""Attention against a loop, and its backends against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.models import attention
from medr_jax.models.config import AttentionBackend


def random_qkv(T: int, N: int = 4, K: int = 2, H: int = 8):
    rngs = jax.random.split(jax.random.key(0), 3)
    shapes = [(2, T, N, H), (2, T, K, H), (2, T, K, H)]
    return [jax.random.normal(rng, shape) for rng, shape in zip(rngs, shapes, strict=True)]


def by_loop(q, k, v, segment_ids):
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    B, T, N, H = q.shape
    out = np.zeros_like(q)
    for b, t, n in np.ndindex(B, T, N):
        seen = [s for s in range(t + 1) if segment_ids[b, s] == segment_ids[b, t]]
        head = n // (N // k.shape[2])  # neighbouring query heads share a key head
        scores = k[b, seen, head] @ q[b, t, n] / np.sqrt(H)
        weights = np.exp(scores - scores.max())
        out[b, t, n] = weights @ v[b, seen, head] / weights.sum()
    return out


@pytest.mark.parametrize("backend", list(AttentionBackend))
def test_grouped_causal_segments_as_by_loop(backend, monkeypatch):
    monkeypatch.setattr(attention, "QUERY_BLOCK", 4)
    q, k, v = random_qkv(11)
    segment_ids = jnp.array([[1] * 5 + [2] * 4 + [0] * 2, [1] * 11])
    got = attention.self_attention(q, k, v, segment_ids, backend)
    np.testing.assert_allclose(got, by_loop(q, k, v, np.asarray(segment_ids)), atol=2e-6)


def test_blocked_gradients_equal_einsum(monkeypatch):
    monkeypatch.setattr(attention, "QUERY_BLOCK", 4)
    qkv, segment_ids = random_qkv(10), jnp.array([[1] * 6 + [2] * 4] * 2)

    def loss(qkv, backend):
        return jnp.sum(attention.self_attention(*qkv, segment_ids, backend) ** 2)

    einsum = jax.grad(loss)(qkv, AttentionBackend.einsum)
    blocked = jax.grad(loss)(qkv, AttentionBackend.blocked)
    for one, other in zip(einsum, blocked, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_query_that_sees_nothing_is_finite():
    q, k, v = (x.transpose(0, 2, 1, 3) for x in random_qkv(3))
    q = q.reshape(2, 2, 2, 3, 8)
    out = attention.attention(q, k, v, jnp.zeros((2, 3, 3), bool))
    assert bool(jnp.all(jnp.isfinite(out)))
