"""Layers against values worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models import layers
from medr_jax.models.config import Activation, ModelConfig, RopeScaling


def test_rms_norm_divides_by_the_root_mean_square():
    norm = layers.RMSNorm(2, "embed", ModelConfig(norm_eps=0.0))
    norm.scale[...] = jnp.array([1.0, 2.0])
    # rms of (3, 4) is sqrt(12.5); a layer norm, which subtracts the mean, would give (-1, 2)
    expected = np.array([[3.0, 8.0]]) / np.sqrt(12.5)
    np.testing.assert_allclose(norm(jnp.array([[3.0, 4.0]])), expected, rtol=1e-6)


def test_rotation_pairs_each_half_with_the_other():
    config = ModelConfig(head_dim=4, rope_theta=100.0)
    rope = layers.rope_angles(jnp.array([[2]]), config)
    x = jnp.array([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 1, 4)
    # Position 2, first frequency 1: (cos 2, sin 2) at indices 0 and 2.
    # Pairs of neighbours would put sin 2 at index 1.
    expected = [np.cos(2.0), 0.0, np.sin(2.0), 0.0]
    np.testing.assert_allclose(layers.rotate(x, rope)[0, 0, 0], expected, atol=1e-6)


def test_rope_frequencies_fall_geometrically():
    np.testing.assert_allclose(
        layers.rope_frequencies(ModelConfig(head_dim=4, rope_theta=100.0)), [1.0, 0.1]
    )


def test_llama3_scaling_slows_long_waves_only():
    scaling = {
        "rope_factor": 8.0,
        "rope_low_freq_factor": 1.0,
        "rope_high_freq_factor": 4.0,
        "rope_original_length": 100,
    }
    plain = ModelConfig(head_dim=6, rope_theta=1000.0)
    scaled = ModelConfig(head_dim=6, rope_theta=1000.0, rope_scaling=RopeScaling.llama3, **scaling)
    before, after = layers.rope_frequencies(plain), layers.rope_frequencies(scaled)
    np.testing.assert_allclose(before, [1.0, 0.1, 0.01], rtol=1e-6)
    # Turns within 100 positions: 15.9 (> 4: kept), 1.59 (between), 0.159 (< 1: an eighth).
    keep = (100 * 0.1 / (2 * np.pi) - 1) / 3
    middle = 0.1 * (keep + (1 - keep) / 8)
    np.testing.assert_allclose(after, [1.0, middle, 0.01 / 8], rtol=1e-6)


@pytest.mark.parametrize(
    ("activation", "expected"),
    # up = 3, gate = -1, down = 2. relu2: 2 * 9; silu: 2 * 3 * (-1 * sigmoid(-1))
    [(Activation.relu2, 18.0), (Activation.silu, 6.0 * -1 / (1 + np.e))],
)
def test_mlp(activation, expected):
    config = ModelConfig(embed_dim=1, mlp_dim=1, activation=activation)
    mlp = layers.MLP(config, nnx.Rngs(0))
    mlp.up[...], mlp.down[...] = jnp.array([[3.0]]), jnp.array([[2.0]])
    if activation is Activation.silu:
        mlp.gate[...] = jnp.array([[-1.0]])
    assert float(mlp(jnp.ones((1, 1, 1)))[0, 0, 0]) == pytest.approx(expected, rel=1e-6)
