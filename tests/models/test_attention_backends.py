"""Every way to compute attention against a loop, and against ``einsum`` with its gradients."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.models import attention_backends as backends
from medr_jax.models.config import AttentionBackend
from medr_jax.testing.models import one_device

PLAIN = [AttentionBackend.einsum, AttentionBackend.blocked, AttentionBackend.chunked]


def random_qkv(T: int, N: int = 4, K: int = 2, H: int = 8, dtype=jnp.float32):
    rngs = jax.random.split(jax.random.key(0), 3)
    shapes = [(2, T, N, H), (2, T, K, H), (2, T, K, H)]
    return [jax.random.normal(rng, shape, dtype) for rng, shape in zip(rngs, shapes, strict=True)]


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


def value_and_gradients(qkv, segment_ids, backend):
    def loss(qkv):
        out = backends.self_attention(*qkv, segment_ids, backend)
        return jnp.sum(out.astype(jnp.float32) ** 2), out

    (_, out), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(qkv)
    return [out, *gradients]


def assert_same(qkv, segment_ids, backend, atol=1e-5):
    expected = value_and_gradients(qkv, segment_ids, AttentionBackend.einsum)
    got = value_and_gradients(qkv, segment_ids, backend)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(other, one, atol=atol)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(backends, "QUERY_BLOCK", 4)
    monkeypatch.setattr(backends, "CHUNK", 4)


@pytest.mark.parametrize("backend", [AttentionBackend.auto, *PLAIN])
@pytest.mark.parametrize("K", [1, 2, 4])
def test_grouped_causal_segments_as_by_loop(backend, K, small_blocks):
    q, k, v = random_qkv(11, K=K)
    segment_ids = jnp.array([[1] * 5 + [2] * 4 + [0] * 2, [1] * 11])
    got = backends.self_attention(q, k, v, segment_ids, backend)
    np.testing.assert_allclose(got, by_loop(q, k, v, np.asarray(segment_ids)), atol=2e-6)


@pytest.mark.parametrize("backend", PLAIN[1:])
def test_gradients_equal_einsum(backend, small_blocks):
    # Segments that end inside, at the end of, and several within a chunk of four; padding.
    lengths = [6, 2, 4, 1, 1, 1, 5]
    packed = np.repeat(range(1, 8), lengths).tolist() + [0] * 3
    segment_ids = jnp.array([packed, [1] * 23])
    assert_same(random_qkv(23), segment_ids, backend)


def test_chunks_of_other_segments_are_not_visited(small_blocks):
    # NaN values in segment 1, which ends with a chunk, would spread through 0 * NaN.
    q, k, v = random_qkv(12)
    segment_ids = jnp.array([[1] * 4 + [2] * 8] * 2)
    v = v.at[:, :4].set(jnp.nan)
    got = backends.self_attention(q, k, v, segment_ids, AttentionBackend.chunked)
    assert bool(jnp.isfinite(got[:, 4:]).all())


def test_chunked_memory_grows_with_the_length_not_its_square():
    def temporary_bytes(T):
        qkv = [jax.ShapeDtypeStruct((1, T, 2, 16), jnp.float32)] * 3
        ids = jax.ShapeDtypeStruct((1, T), jnp.int32)

        def loss(qkv, ids):
            return jnp.sum(backends.self_attention(*qkv, ids, AttentionBackend.chunked) ** 2)

        compiled = jax.jit(jax.grad(loss)).lower(qkv, ids).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    # 4x the length: 4x the memory at most; all scores at once would take 16x (2 * T^2 * 4
    # bytes, 512 MB at 8192, of which chunked has one chunk).
    assert temporary_bytes(8192) < 4.5 * temporary_bytes(2048)
    assert temporary_bytes(8192) < 32e6


def test_splash_in_interpret_mode_equals_einsum():
    # Heads of 64, one block size of 128; padding, and a border inside and at the end of a block.
    segment_ids = jnp.array([[1] * 100 + [2] * 28 + [3] * 100 + [0] * 28, [1] * 256])
    with jax.set_mesh(one_device()):
        assert_same(random_qkv(256, H=64), segment_ids, AttentionBackend.splash, atol=1e-4)


def test_cudnn_equals_einsum():
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus or importlib.util.find_spec("nvidia") is None:
        pytest.skip("needs an NVIDIA GPU and cuDNN; JAX here has none")
    segment_ids = jnp.array([[1] * 100 + [2] * 28 + [3] * 100 + [0] * 28, [1] * 256])
    # bfloat16 has 8 bits: values and gradients of about 1 are good to 2^-6.
    qkv = random_qkv(256, H=64, dtype=jnp.bfloat16)
    assert_same(qkv, segment_ids, AttentionBackend.cudnn, atol=2**-5)


@pytest.mark.parametrize(
    ("platform", "length", "head_dim", "dtype", "expected"),
    [
        ("cpu", 100, 64, jnp.float32, "einsum"),
        ("cpu", 512, 64, jnp.float32, "blocked"),
        ("cpu", 32768, 64, jnp.float32, "chunked"),
        ("", 32768, 64, jnp.float32, "chunked"),
        ("tpu", 8192, 128, jnp.bfloat16, "splash"),
        ("tpu", 32768, 64, jnp.bfloat16, "splash"),
        ("tpu", 32768, 64, jnp.float32, "chunked"),  # splash's gradients would be rounded
        ("tpu", 8200, 128, jnp.bfloat16, "chunked"),  # not a multiple of 128
        ("tpu", 512, 48, jnp.bfloat16, "blocked"),
        ("gpu", 8192, 64, jnp.bfloat16, "cudnn"),
        ("gpu", 8192, 64, jnp.float32, "chunked"),
        ("gpu", 32768, 64, jnp.bfloat16, "chunked"),  # a mask of 2 GB a row
    ],
)
def test_auto_goes_by_platform_and_shape(platform, length, head_dim, dtype, expected):
    assert backends._auto(platform, length, head_dim, dtype, False).value == expected


def test_auto_with_split_queries_takes_what_can():
    kernels = {backends._auto(p, 8192, 128, jnp.bfloat16, True) for p in ("tpu", "gpu", "cpu")}
    assert kernels == {AttentionBackend.chunked}


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (AttentionBackend.splash, "model.attention=splash: rows of 12 tokens"),
        (AttentionBackend.cudnn, "model.attention=cudnn: rows of 12 tokens.*float32"),
    ],
)
def test_a_kernel_that_does_not_take_the_shapes_says_so(backend, message):
    with pytest.raises(ValueError, match=message):
        backends.self_attention(*random_qkv(12), jnp.ones((2, 12), jnp.int32), backend)


def test_the_platform_is_the_meshs_not_the_machines():
    assert backends.mesh_platform() == ""
    with jax.set_mesh(one_device()):
        assert backends.mesh_platform() == "cpu"
        assert jax.jit(lambda: len(backends.mesh_platform()))() == 3


def test_a_query_that_sees_nothing_is_finite():
    q, k, v = (x.transpose(0, 2, 1, 3) for x in random_qkv(3))
    q = q.reshape(2, 2, 2, 3, 8)
    out = backends.masked_attention(q, k, v, jnp.zeros((2, 3, 3), bool))
    assert bool(jnp.all(jnp.isfinite(out)))
