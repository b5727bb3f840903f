"""What a training step maps to its successor, and names for its arrays."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh

from medr_jax import sharding


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """Everything that changes while training, but for the place in the data."""

    params: Any  # nnx.State of nnx.Param: what is trained
    opt_state: Any
    step: jax.Array  # int32 scalar: optimizer steps done
    rng: jax.Array  # uint32 key data, constant; a step folds its number in
    frozen: Any = ()  # nnx.State of the parameters that are not trained (LoRA's base model)

    @property
    def model_params(self) -> Any:
        """All parameters of the model, trained and frozen, without a copy."""
        return join_params(self.params, self.frozen)


def join_params(params: Any, frozen: Any) -> Any:
    """Trained and frozen parameters as the one tree that ``nnx.merge`` takes."""
    return nnx.merge_state(params, frozen) if jax.tree.leaves(frozen) else params


def create_state(
    params: Any,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    *,
    seed: int,
    frozen: Any = (),
) -> TrainState:
    """Step 0. Optimizer moments are sharded at birth, as their parameters are.

    ``frozen`` parameters, already on the mesh, have no moments and are taken as they are.
    """
    first = _first_state(optimizer, seed)
    layout = layout_of(jax.eval_shape(first, params), mesh)
    state = jax.jit(first, out_shardings=layout)(params)
    return dataclasses.replace(state, frozen=frozen)


def abstract_state(
    params: Any,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    *,
    seed: int,
    frozen: Any = (),
) -> TrainState:
    """What ``create_state`` would make, as shapes with shardings: nothing is allocated.

    ``params`` may be abstract, and the mesh one of devices that are not there.
    """
    shapes = jax.eval_shape(_first_state(optimizer, seed), params)
    shapes = dataclasses.replace(shapes, frozen=frozen)
    return sharding.abstract_arrays(shapes, layout_of(shapes, mesh))


def _first_state(optimizer: optax.GradientTransformation, seed: int) -> Callable[[Any], TrainState]:
    def first(params: Any) -> TrainState:
        return TrainState(
            params=params,
            opt_state=optimizer.init(params),
            step=jnp.zeros((), jnp.int32),
            rng=jax.random.key_data(jax.random.key(seed)),
        )

    return first


def layout_of(tree: Any, mesh: Mesh) -> Any:
    """A sharding per array: moments lie as their parameters do, all else is replicated."""

    def one(leaf: Any) -> Any:
        if is_variable(leaf) and isinstance(leaf.get_value(), optax.MaskedNode):
            return leaf  # a parameter that this part of the optimizer does not update
        return sharding.shardings(leaf, mesh)

    return jax.tree.map(one, tree, is_leaf=is_variable)


def is_variable(leaf: Any) -> bool:
    """Whether a pytree node is an ``nnx.Variable``, which carries the logical axes."""
    return isinstance(leaf, nnx.Variable)


def state_shardings(state: TrainState) -> TrainState:
    """Where each array of ``state`` lives, as a tree for ``out_shardings``."""
    return jax.tree.map(lambda array: array.sharding, state)


def named_arrays(tree: Any) -> dict[str, Any]:
    """Leaves under readable names, such as "layers.attention.query.kernel".

    Independent of the containers' types, which differ between library versions.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = {_name(path): leaf for path, leaf in leaves}
    assert len(named) == len(leaves), "two leaves share a name"
    return named


def with_named_arrays(tree: Any, arrays: dict[str, Any]) -> Any:
    """``tree`` with its leaves replaced by the arrays of the same names."""
    paths, treedef = jax.tree_util.tree_flatten_with_path(tree)
    return jax.tree_util.tree_unflatten(treedef, [arrays[_name(path)] for path, _ in paths])


def _name(path: tuple[Any, ...]) -> str:
    # The attribute is where an nnx.Variable keeps its array: no part of the name.
    if path and path[-1] == jax.tree_util.GetAttrKey("value"):
        path = path[:-1]
    return jax.tree_util.keystr(path, simple=True, separator=".")


@jax.jit
def _checksums(arrays: list[jax.Array]) -> list[jax.Array]:
    return [_checksum(array) for array in arrays]


def _checksum(array: jax.Array) -> jax.Array:
    """Two position-weighted 32-bit sums of an array's bits: exact on any mesh."""
    if array.dtype == jnp.bool_:
        array = array.astype(jnp.uint8)
    unsigned = jnp.dtype(f"uint{array.dtype.itemsize * 8}")
    bits = jax.lax.bitcast_convert_type(array, unsigned).astype(jnp.uint32).reshape(-1)
    place = jax.lax.iota(jnp.uint32, bits.size) * jnp.uint32(2654435761) | jnp.uint32(1)
    mixed = bits * place
    return jnp.stack([mixed.sum(), (mixed ^ (mixed >> 15)).sum()])


def fingerprint(tree: Any) -> str:
    """Identity of a pytree's names, shapes and bits, equal on every mesh."""
    named = named_arrays(tree)
    sums = jax.device_get(_checksums(list(named.values())))
    digest = hashlib.sha256()
    for (name, array), pair in zip(named.items(), sums, strict=True):
        digest.update(f"{name} {array.dtype} {array.shape} {np.asarray(pair).tolist()}\n".encode())
    return digest.hexdigest()
