"""Short causal convolutions before attention: queries, keys and values of several tokens."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from medr_jax.models.config import ModelConfig


class Inputs(NamedTuple):
    """What queries, keys and values are projected from; the same without a convolution."""

    query_BTD: jax.Array
    key_BTD: jax.Array
    value_BTD: jax.Array


class ShortConv(nnx.Module):
    """Depthwise causal convolutions, sum_j tap_j * x_(t-j), one each for queries, keys, values.

    They start so that attention finds where the last tokens stood before, and what came next:
    of W groups of channels, group g carries the token g back in queries and the one before that
    in keys, so equal groups match when the last W-1 tokens are those before the key's (the last
    group carries the present token in both). This is an induction head from the first step
    (arXiv:2209.11895; convolutions of projections: Primer, arXiv:2109.08668): a model of a
    million parameters then copies names after some hundred steps.
    """

    def __init__(self, config: ModelConfig):
        self.width = config.short_conv_width
        starts = np.stack([*_matching_taps(self.width, config.embed_dim), _value_taps(config)])
        axes = ("taps", "taps", "embed")
        self.taps = nnx.Param(jnp.asarray(starts, config.param_dtype), axes=axes)

    def __call__(self, x_BTD: Float[Array, "B T D"], segment_ids_BT: Int[Array, "B T"]) -> Inputs:
        """Over packed rows: a token sees only earlier tokens of its own segment."""
        T, past = x_BTD.shape[1], self.width - 1
        padded = jnp.pad(x_BTD, ((0, 0), (past, 0), (0, 0)))
        segments = jnp.pad(segment_ids_BT, ((0, 0), (past, 0)), constant_values=-1)
        shifted = [x_BTD]
        for back in range(1, self.width):
            window = slice(past - back, past - back + T)
            same = (segments[:, window] == segment_ids_BT).astype(x_BTD.dtype)
            shifted.append(padded[:, window] * same[..., None])
        return self._mix(shifted)

    def extend(self, x_BTD: Float[Array, "B T D"], past_BCD: Float[Array, "B C D"]) -> Inputs:
        """Over new tokens of one segment per row, after its last ``width - 1`` inputs."""
        T, past = x_BTD.shape[1], self.width - 1
        inputs = jnp.concatenate([past_BCD.astype(x_BTD.dtype), x_BTD], axis=1)
        return self._mix([inputs[:, past - back :][:, :T] for back in range(self.width)])

    def _mix(self, shifted: list[jax.Array]) -> Inputs:
        taps = self.taps[...].astype(shifted[0].dtype)
        return Inputs(*(sum(map(jnp.multiply, shifted, kind)) for kind in taps))


def _matching_taps(width: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """First taps (width, size) of queries and of keys; channel c is in group c mod width."""
    channels = np.arange(size)
    group = channels % width
    matching = group < width - 1
    queries, keys = np.zeros((2, width, size), np.float32)
    queries[np.where(matching, group, 0), channels] = 1.0
    keys[np.where(matching, group + 1, 0), channels] = 1.0
    return queries, keys


def _value_taps(config: ModelConfig) -> np.ndarray:
    """The token, and half of the one before."""
    taps = np.zeros((config.short_conv_width, config.embed_dim), np.float32)
    taps[0], taps[1:2] = 1.0, 0.5
    return taps
