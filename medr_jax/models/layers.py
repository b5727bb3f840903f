"""Layers without attention: weights, norm, embedding, rotary positions, MLP."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from medr_jax.models.config import Activation, ModelConfig, RopeScaling
from medr_jax.sharding import constrain


def weight(
    shape: tuple[int, ...],
    axes: tuple[str, ...],
    std: float,
    config: ModelConfig,
    rngs: nnx.Rngs,
) -> nnx.Param:
    """A normal(0, std) parameter that carries its logical axis names."""
    value = std * jax.random.normal(rngs.params(), shape, jnp.float32)
    return nnx.Param(value.astype(config.param_dtype), axes=axes)


def constant(
    shape: tuple[int, ...], axes: tuple[str, ...], value: float, config: ModelConfig
) -> nnx.Param:
    """A parameter that starts as a constant: norm scales 1, biases 0."""
    return nnx.Param(jnp.full(shape, value, config.param_dtype), axes=axes)


def init_std(config: ModelConfig, fan_in: int) -> float:
    """The configured std, or 1/sqrt(fan_in)."""
    return config.init_std or fan_in**-0.5


class RMSNorm(nnx.Module):
    """x / sqrt(mean(x^2) + eps) * scale over the last dimension, computed in float32."""

    def __init__(self, size: int, axis: str, config: ModelConfig):
        self.eps = config.norm_eps
        self.scale = constant((size,), (axis,), 1.0, config)

    def __call__(self, x: Float[Array, "*batch D"]) -> Float[Array, "*batch D"]:
        wide = x.astype(jnp.float32)
        inverse = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + self.eps)
        return (wide * inverse * self.scale[...].astype(jnp.float32)).astype(x.dtype)


def rope_frequencies(config: ModelConfig) -> np.ndarray:
    """Radians per position of each rotated pair, shape (head_dim / 2,).

    theta^(-2i/head_dim); Llama 3 divides those of long wavelength by ``rope_factor``, leaves
    those of short wavelength and interpolates between (Llama 3.1 model card, 2024).
    """
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim
    frequencies = config.rope_theta**-exponents
    if config.rope_scaling is RopeScaling.llama3:
        turns = config.rope_original_length * frequencies / (2 * math.pi)
        low, high = config.rope_low_freq_factor, config.rope_high_freq_factor
        keep = np.clip((turns - low) / (high - low), 0.0, 1.0)
        frequencies = frequencies * (keep + (1 - keep) / config.rope_factor)
    return frequencies.astype(np.float32)


def rope_angles(
    positions: Int[Array, "B T"], config: ModelConfig
) -> tuple[Float[Array, "B T R"], Float[Array, "B T R"]]:
    """Cosine and sine of position times frequency, R = head_dim / 2, float32."""
    angles = positions[..., None].astype(jnp.float32) * rope_frequencies(config)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(
    x_BTNH: Float[Array, "B T N H"], rope: tuple[Float[Array, "B T R"], Float[Array, "B T R"]]
) -> Float[Array, "B T N H"]:
    """Rotary embedding of pairs (i, i + H/2), the half-split order of Hugging Face weights."""
    cos, sin = (part[:, :, None, :] for part in rope)
    first, second = jnp.split(x_BTNH.astype(jnp.float32), 2, axis=-1)
    rotated = [first * cos - second * sin, second * cos + first * sin]
    return jnp.concatenate(rotated, axis=-1).astype(x_BTNH.dtype)


class Adaptable(nnx.Module):
    """A module whose weights may have LoRA adapters (``models.lora``) beside them."""

    adapters: nnx.Dict | None = None

    def adapted(self, name: str, inputs: jax.Array, outputs: jax.Array) -> jax.Array:
        """``outputs`` of the weight ``name``, with its adapter's added where it has one."""
        if self.adapters is None or name not in self.adapters:
            return outputs
        return outputs + self.adapters[name](inputs)


class MLP(Adaptable):
    """down(silu(gate x) * up x), or down(relu(up x)^2) for ``relu2``."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        D, F = config.embed_dim, config.mlp_dim
        self.activation = config.activation
        if config.activation is Activation.silu:
            self.gate = weight((D, F), ("embed", "mlp"), init_std(config, D), config, rngs)
        self.up = weight((D, F), ("embed", "mlp"), init_std(config, D), config, rngs)
        self.down = weight((F, D), ("mlp", "embed"), init_std(config, F), config, rngs)

    def __call__(self, x_BTD: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
        up = self.adapted("up", x_BTD, x_BTD @ self.up[...].astype(x_BTD.dtype))
        up = constrain(up, "batch", "length", "mlp")
        if self.activation is Activation.silu:
            gate = self.adapted("gate", x_BTD, x_BTD @ self.gate[...].astype(x_BTD.dtype))
            hidden = jax.nn.silu(gate) * up
        else:
            hidden = jnp.square(jax.nn.relu(up))
        return self.adapted("down", hidden, hidden @ self.down[...].astype(x_BTD.dtype))
