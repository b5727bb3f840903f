"""The hand-written derivative of attention against JAX's own of the plain formula."""

import jax
import jax.numpy as jnp
import numpy as np

from medr_jax.models.softmax_attention import masked_attention

B, K, G, T, S, H = 2, 2, 3, 5, 7, 4


def plain(q, k, v, mask):
    scores = jnp.einsum("BKGTH,BKSH->BKGTS", q, k) / np.sqrt(H)
    weights = jax.nn.softmax(jnp.where(mask[:, None, None], scores, -jnp.inf), axis=-1)
    return jnp.einsum("BKGTS,BKSH->BKGTH", weights, v)


def test_value_and_gradients_equal_those_of_softmax():
    rng = np.random.default_rng(0)
    shapes = ((B, K, G, T, H), (B, K, S, H), (B, K, S, H))
    qkv = [jnp.asarray(2 * rng.standard_normal(shape), jnp.float32) for shape in shapes]
    weights = jnp.asarray(rng.standard_normal((B, K, G, T, H)), jnp.float32)
    mask = jnp.asarray(rng.random((B, T, S)) < 0.6).at[:, :, 0].set(True)

    def loss(qkv, function):
        return jnp.sum(weights * function(*qkv, mask))

    got, got_gradients = jax.value_and_grad(loss)(qkv, masked_attention)
    expected, gradients = jax.value_and_grad(loss)(qkv, plain)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    # Without the "- sum(do' * out)" term the gradient of q would be off by more than 1.
    for one, other in zip(got_gradients, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
