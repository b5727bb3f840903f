"""Grouped-query self-attention, over packed rows and over a cache."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from medr_jax.models.attention_backends import self_attention
from medr_jax.models.config import ModelConfig
from medr_jax.models.kv_cache import Extension
from medr_jax.models.layers import Adaptable, RMSNorm, constant, init_std, rotate, weight
from medr_jax.models.short_conv import Inputs, ShortConv
from medr_jax.sharding import constrain


class Attention(Adaptable):
    """Projections, optional convolutions, biases and q/k norms, rotary positions, output."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        D, N, K, H = config.embed_dim, config.num_heads, config.num_kv_heads, config.head_dim
        std = init_std(config, D)
        self.backend = config.attention
        self.query = weight((D, N, H), ("embed", "heads", "head_dim"), std, config, rngs)
        self.key = weight((D, K, H), ("embed", "kv_heads", "head_dim"), std, config, rngs)
        self.value = weight((D, K, H), ("embed", "kv_heads", "head_dim"), std, config, rngs)
        std = init_std(config, N * H)
        self.out = weight((N, H, D), ("heads", "head_dim", "embed"), std, config, rngs)
        self.conv = ShortConv(config) if config.short_conv_width else None
        if self.conv is not None:
            # Each key head starts as a query head of its group: equal tokens match at once.
            self.key[...] = self.query[:, :: N // K]
        self.qkv_bias = config.qkv_bias
        if config.qkv_bias:
            self.query_bias = constant((N, H), ("heads", "head_dim"), 0.0, config)
            self.key_bias = constant((K, H), ("kv_heads", "head_dim"), 0.0, config)
            self.value_bias = constant((K, H), ("kv_heads", "head_dim"), 0.0, config)
        self.qk_norm = config.qk_norm
        if config.qk_norm:
            self.query_norm = RMSNorm(H, "head_dim", config)
            self.key_norm = RMSNorm(H, "head_dim", config)

    def project(
        self, inputs: Inputs, rope: tuple[jax.Array, jax.Array]
    ) -> tuple[Float[Array, "B T N H"], Float[Array, "B T K H"], Float[Array, "B T K H"]]:
        """Rotated queries and keys, and values."""
        dtype = inputs.value_BTD.dtype
        q = jnp.einsum("BTD,DNH->BTNH", inputs.query_BTD, self.query[...].astype(dtype))
        k = jnp.einsum("BTD,DKH->BTKH", inputs.key_BTD, self.key[...].astype(dtype))
        v = jnp.einsum("BTD,DKH->BTKH", inputs.value_BTD, self.value[...].astype(dtype))
        q = self.adapted("query", inputs.query_BTD, q)
        k = self.adapted("key", inputs.key_BTD, k)
        v = self.adapted("value", inputs.value_BTD, v)
        if self.qkv_bias:
            q = q + self.query_bias[...].astype(dtype)
            k = k + self.key_bias[...].astype(dtype)
            v = v + self.value_bias[...].astype(dtype)
        if self.qk_norm:
            q, k = self.query_norm(q), self.key_norm(k)
        q = constrain(rotate(q, rope), "batch", "length", "heads", "head_dim")
        k = constrain(rotate(k, rope), "batch", "length", "kv_heads", "head_dim")
        return q, k, constrain(v, "batch", "length", "kv_heads", "head_dim")

    def output(self, x_BTNH: Float[Array, "B T N H"]) -> Float[Array, "B T D"]:
        """Back from heads to the residual stream."""
        x_BTD = jnp.einsum("BTNH,NHD->BTD", x_BTNH, self.out[...].astype(x_BTNH.dtype))
        return self.adapted("out", x_BTNH, x_BTD)

    def __call__(
        self,
        x_BTD: Float[Array, "B T D"],
        rope: tuple[jax.Array, jax.Array],
        segment_ids_BT: Int[Array, "B T"],
    ) -> Float[Array, "B T D"]:
        inputs = Inputs(x_BTD, x_BTD, x_BTD)
        if self.conv is not None:
            inputs = self.conv(x_BTD, segment_ids_BT)
        q, k, v = self.project(inputs, rope)
        return self.output(self_attention(q, k, v, segment_ids_BT, self.backend))

    def extend(
        self,
        x_BTD: Float[Array, "B T D"],
        rope: tuple[jax.Array, jax.Array],
        new: Extension,
        layer: int | jax.Array,
        num_new_B: Int[Array, " B"],
    ) -> tuple[Float[Array, "B T D"], Extension]:
        """New tokens against everything cached before them, themselves included."""
        inputs = Inputs(x_BTD, x_BTD, x_BTD)
        if self.conv is not None:
            inputs = self.conv.extend(x_BTD, new.past_inputs(layer))
            new = new.remember_inputs(layer, x_BTD, num_new_B)
        q, k, v = self.project(inputs, rope)
        new = new.write(layer, k, v)
        return self.output(new.attend(layer, q)), new
