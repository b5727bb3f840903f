"""Convolutions before attention, against values worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.models.config import ModelConfig
from medr_jax.models.short_conv import ShortConv


def conv(*taps: float) -> ShortConv:
    """One channel, the same taps for queries, keys and values."""
    layer = ShortConv(ModelConfig(embed_dim=1, short_conv_width=len(taps)))
    layer.taps[...] = jnp.broadcast_to(jnp.array(taps)[:, None], (3, len(taps), 1))
    return layer


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_key_starts_as_the_query_of_the_token_before(width):
    layer = ShortConv(ModelConfig(embed_dim=2 * width, short_conv_width=width))
    x = jnp.arange(1.0, 8.0)[:, None] * 10.0 ** jnp.arange(2 * width)  # token 1, 2, ..., 7
    query, key, value = layer(x[None], jnp.ones((1, 7), jnp.int32))
    matching = jnp.arange(2 * width) % width < width - 1
    np.testing.assert_allclose(key[0, 1:, matching], query[0, :-1, matching])
    # The last group is the present token in both: x_t, not x_(t-1).
    np.testing.assert_allclose(key[0, :, ~matching], x[:, ~matching].T)
    np.testing.assert_allclose(query[0, :, ~matching], x[:, ~matching].T)
    # Channel 0 of queries is the present token, channel 1 (of three groups or more) the last.
    np.testing.assert_allclose(query[0, :, 0], x[:, 0])
    if width > 2:
        np.testing.assert_allclose(query[0, 1:, 1], x[:-1, 1])
    np.testing.assert_allclose(value[0, 1:], x[1:] + 0.5 * x[:-1])


def test_a_single_tap_is_the_token_itself():
    layer = ShortConv(ModelConfig(embed_dim=2, short_conv_width=1))
    x = jnp.arange(6.0).reshape(1, 3, 2)
    for part in layer(x, jnp.ones((1, 3), jnp.int32)):
        np.testing.assert_allclose(part, x)


def test_it_does_not_cross_segments():
    x = jnp.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1)
    segments = jnp.array([[1, 1, 2, 2]])
    for part in conv(1.0, 0.5, 0.25)(x, segments):
        # Across the border the third token would be 100 + 5 + 0.25.
        np.testing.assert_allclose(part[0, :, 0], [1.0, 10.5, 100.0, 1050.0])


def test_an_extension_equals_the_whole_row():
    layer = conv(1.1, 0.5, -0.25, 2.0)
    x = jnp.arange(1.0, 8.0).reshape(1, 7, 1)
    whole = layer(x, jnp.ones((1, 7), jnp.int32)).key_BTD
    first = layer.extend(x[:, :4], jnp.zeros((1, 3, 1))).key_BTD
    second = layer.extend(x[:, 4:], x[:, 1:4]).key_BTD
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, rtol=1e-6)
