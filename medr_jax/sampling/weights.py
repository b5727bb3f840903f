"""The weights as sampling wants them: whole on each group of chips, in the dtype it computes in.

Training splits parameters over ``fsdp`` and ``sequence`` and gathers each layer's when it comes
to it. Sampling would do so for every token; it gathers all of them once per policy version, on
the same devices in another arrangement.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from medr_jax import sharding
from medr_jax.models.config import ModelConfig
from medr_jax.sampling.config import EngineConfig, Weights


def sampling_mesh(mesh: Mesh, model: ModelConfig, config: EngineConfig) -> Mesh:
    """The mesh's devices as the engine arranges them."""
    if config.weights is Weights.as_trained:
        return mesh
    return sharding.gathered_mesh(mesh, model.num_kv_heads)


def in_compute_dtype(params: nnx.State, dtype: Any) -> nnx.State:
    """Matrices in the dtype that every use of them casts them to; scales and the like as is."""

    def cast(leaf: nnx.Variable) -> nnx.Variable:
        value = leaf.get_value()
        is_matrix = len(leaf.get_metadata().get("axes", ())) > 1
        wider = jnp.dtype(value.dtype).itemsize > jnp.dtype(dtype).itemsize
        return leaf.replace(value.astype(dtype)) if is_matrix and wider else leaf

    return jax.tree.map(cast, params, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))


def resharded(params: nnx.State, dtype: Any, mesh: Mesh, config: EngineConfig) -> nnx.State:
    """What ``make_reshard``'s function makes of shapes with shardings; the same where all fit."""
    if config.weights is Weights.as_trained:
        return params
    shapes = jax.eval_shape(lambda params: in_compute_dtype(params, dtype), params)
    wanted = sharding.abstract_arrays(shapes, sharding.shardings(shapes, mesh))
    return params if _fits(params, wanted) else wanted


def make_reshard(
    params: nnx.State, dtype: Any, mesh: Mesh, config: EngineConfig
) -> Callable[[nnx.State], nnx.State]:
    """``reshard(params)``: as the engine on ``mesh`` wants them; those that are so are not copied.

    ``mesh`` is the sampling mesh. The arguments may lie on the training mesh.
    """
    if config.weights is Weights.as_trained:
        return lambda params: params
    layout = sharding.shardings(params, mesh)
    cast = jax.jit(lambda params: in_compute_dtype(params, dtype))
    copy = jax.jit(lambda params: in_compute_dtype(params, dtype), out_shardings=layout)

    def reshard(params: nnx.State) -> nnx.State:
        if resharded(params, dtype, mesh, config) is params:
            return params
        if _in_this_order(params, mesh):
            with jax.set_mesh(mesh):
                return copy(params)
        with jax.set_mesh(jax.tree.leaves(params)[0].sharding.mesh):
            params = cast(params)
        with jax.set_mesh(mesh):  # a program knows one order of devices
            return jax.device_put(params, layout)

    return reshard


def _in_this_order(params: nnx.State, mesh: Mesh) -> bool:
    place = jax.tree.leaves(params)[0].sharding
    return len(place.device_set) == 1 or list(place.mesh.devices.flat) == list(mesh.devices.flat)


def _fits(params: nnx.State, wanted: nnx.State) -> bool:
    def one(leaf: jax.Array, want: jax.ShapeDtypeStruct) -> bool:
        same_place = leaf.sharding.is_equivalent_to(want.sharding, len(want.shape))
        return leaf.dtype == want.dtype and same_place

    return all(jax.tree.leaves(jax.tree.map(one, params, wanted)))
