"""Attention of new queries over keys that come in parts, as running sums (arXiv:1805.02867).

What is masked adds exact zeros, so a row's result does not depend on how many parts the longest
of its neighbours needs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LOWEST = float(jnp.finfo(jnp.float32).min)


class Sums(NamedTuple):
    """Over the keys seen so far, with e = exp(score - highest); all float32."""

    highest_BKGT: jax.Array  # the largest score
    total_BKGT: jax.Array  # sum of e
    values_BKGTH: jax.Array  # sum of e * value

    @classmethod
    def none(cls, q_BKGTH: Float[Array, "B K G T H"]) -> "Sums":
        """Before the first key."""
        shape = q_BKGTH.shape[:-1]
        return cls(
            jnp.full(shape, LOWEST, jnp.float32),
            jnp.zeros(shape, jnp.float32),
            jnp.zeros(q_BKGTH.shape, jnp.float32),
        )

    def add(
        self,
        q_BKGTH: Float[Array, "B K G T H"],
        keys: Float[Array, "B K ..."],
        v_BKSH: Float[Array, "B K S H"],
        mask_BTS: Bool[Array, "#B T S"],
        *,
        keys_last: bool,
    ) -> "Sums":
        """With some more keys, BKHS where ``keys_last``, else BKSH.

        Queries are scaled already, G of them share a key head.
        """
        scores = jnp.where(mask_BTS[:, None, None], _scores(q_BKGTH, keys, keys_last), LOWEST)
        highest = jnp.maximum(self.highest_BKGT, jnp.max(scores, axis=-1))
        weights = jnp.exp(scores - highest[..., None])
        # Of a row whose keys were all masked so far, the sums are of nothing and fade to zero.
        fade = jnp.exp(self.highest_BKGT - highest)
        return Sums(
            highest,
            self.total_BKGT * fade + jnp.sum(weights, axis=-1),
            self.values_BKGTH * fade[..., None] + _weighted(weights, v_BKSH),
        )

    def result(self) -> Float[Array, "B K G T H"]:
        """softmax(scores) @ values."""
        return self.values_BKGTH / self.total_BKGT[..., None]


def _scores(q_BKGTH: jax.Array, keys: jax.Array, keys_last: bool) -> jax.Array:
    product = "BKGTH,BKHS->BKGTS" if keys_last else "BKGTH,BKSH->BKGTS"
    return jnp.einsum(product, q_BKGTH, keys, preferred_element_type=jnp.float32)


def _weighted(weights_BKGTS: jax.Array, v_BKSH: jax.Array) -> jax.Array:
    weights_BKGTS = weights_BKGTS.astype(v_BKSH.dtype)
    return jnp.einsum(
        "BKGTS,BKSH->BKGTH", weights_BKGTS, v_BKSH, preferred_element_type=jnp.float32
    )
