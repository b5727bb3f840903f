"""Attention of new queries over keys that come in parts, as running sums (arXiv:1805.02867).

What is masked adds exact zeros, so a row's result does not depend on how many parts the longest
of its neighbours needs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from medr_jax.models.attention_backends import mesh_platform

LOWEST = float(jnp.finfo(jnp.float32).min)


def on_cpu() -> bool:
    """Whether the current mesh is one of CPUs, or there is none."""
    return mesh_platform() in ("cpu", "")


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
        k_BSKH: Float[Array, "B S K H"],
        v_BSKH: Float[Array, "B S K H"],
        mask_BTS: Bool[Array, "#B T S"],
    ) -> "Sums":
        """With some more keys; queries are scaled already, G of them share a key head."""
        scores = jnp.where(mask_BTS[:, None, None], _scores(q_BKGTH, k_BSKH), LOWEST)
        highest = jnp.maximum(self.highest_BKGT, jnp.max(scores, axis=-1))
        weights = jnp.exp(scores - highest[..., None])
        # Of a row whose keys were all masked so far, the sums are of nothing and fade to zero.
        fade = jnp.exp(self.highest_BKGT - highest)
        return Sums(
            highest,
            self.total_BKGT * fade + jnp.sum(weights, axis=-1),
            self.values_BKGTH * fade[..., None] + _weighted(weights, v_BSKH),
        )

    def result(self) -> Float[Array, "B K G T H"]:
        """softmax(scores) @ values."""
        return self.values_BKGTH / self.total_BKGT[..., None]


def _scores(q_BKGTH: jax.Array, k_BSKH: jax.Array) -> jax.Array:
    if q_BKGTH.shape[3] == 1 and on_cpu():
        # XLA's CPU backend turns matrix products of one row into slow loops.
        k_BKSH = jnp.moveaxis(k_BSKH, 1, 2).astype(jnp.float32)
        return jnp.sum(q_BKGTH.astype(jnp.float32) * k_BKSH[:, :, None], axis=-1)[..., None, :]
    return jnp.einsum("BKGTH,BSKH->BKGTS", q_BKGTH, k_BSKH, preferred_element_type=jnp.float32)


def _weighted(weights_BKGTS: jax.Array, v_BSKH: jax.Array) -> jax.Array:
    if weights_BKGTS.shape[3] == 1 and on_cpu():
        v_BKSH = jnp.moveaxis(v_BSKH, 1, 2).astype(jnp.float32)
        products = weights_BKGTS[:, :, :, 0, :, None] * v_BKSH[:, :, None]
        return jnp.sum(products, axis=3)[..., None, :]
    weights_BKGTS = weights_BKGTS.astype(v_BSKH.dtype)
    return jnp.einsum(
        "BKGTS,BSKH->BKGTH", weights_BKGTS, v_BSKH, preferred_element_type=jnp.float32
    )
