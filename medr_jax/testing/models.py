"""Models small enough to run in a test within milliseconds."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax.models.config import ModelConfig
from medr_jax.models.transformer import Transformer, abstract_model
from medr_jax.sharding import MeshConfig, make_mesh

VOCAB_SIZE = 64


def small_config(**changes: Any) -> ModelConfig:
    """Two layers, four query heads on two key heads, short convolution, biases, q/k norms."""
    config = ModelConfig(
        vocab_size=VOCAB_SIZE,
        max_length=64,
        num_layers=2,
        embed_dim=32,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        mlp_dim=48,
        qkv_bias=True,
        qk_norm=True,
        short_conv_width=4,
    )
    return dataclasses.replace(config, **changes)


def one_device() -> Mesh:
    """The mesh of a single device."""
    return make_mesh(MeshConfig(), jax.devices()[:1])


def small_model(config: ModelConfig | None = None, seed: int = 0) -> Transformer:
    """A model on one device with every parameter random, biases, scales and taps included.

    Drawn by NumPy: compiling ``create_model`` takes seconds.
    """
    rng = np.random.default_rng(seed)
    graph, shapes = nnx.split(abstract_model(config or small_config()))

    def draw(path: tuple, leaf: nnx.Variable) -> nnx.Variable:
        shape = leaf.get_value().shape
        centre = 1.0 if path[-1] == "scale" else 0.0
        values = centre + 0.2 * rng.standard_normal(shape, np.float32)
        return leaf.replace(jnp.asarray(values, leaf.get_value().dtype))

    leaves = [(path, draw(path, leaf)) for path, leaf in nnx.to_flat_state(shapes)]
    return nnx.merge(graph, nnx.from_flat_state(leaves))


def random_tokens(shape: tuple[int, ...], seed: int = 0) -> jax.Array:
    """Token ids above 0, which tests use as padding."""
    return jax.random.randint(jax.random.key(seed), shape, 1, VOCAB_SIZE)


def whole_rows(token_ids_BT: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Positions and segment ids of rows that hold one segment each, without padding."""
    positions = jnp.broadcast_to(jnp.arange(token_ids_BT.shape[1]), token_ids_BT.shape)
    return positions, jnp.ones(token_ids_BT.shape, jnp.int32)
