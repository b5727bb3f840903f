"""How the keys, or the values, of all slots lie in memory.

A head's positions lie next to one another, as the products of attention read them. On a CPU there
is an array for each stretch of positions, so that attention passes over those that no row has
reached, and one for each layer, too, where layers are not scanned: XLA copies whatever is cut from
an array before it goes into a matrix product, and of keys and values that copy costs more than the
product. Elsewhere there is one array.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from medr_jax.models.attention_backends import mesh_platform
from medr_jax.sharding import constrain

BLOCK = 64
"""Stretches are multiples of it."""

MAX_STRETCHES = 4
"""Each is compiled in: more would leave out more behind the longest row, and compile longer."""

AXES = ("layers", "batch", "kv_heads", None, "head_dim")
"""Logical axes of each array."""

Store = tuple[tuple[Any, ...], ...]
"""Groups of layers -> stretches of positions -> array (layers, slots, K, positions, H)."""


def on_cpu() -> bool:
    """Whether the current mesh is one of CPUs, or there is none."""
    return mesh_platform() in ("cpu", "")


def create(shape: tuple[int, int, int, int, int], dtype: Any, *, scanned: bool) -> Store:
    """Zeros for (layers, slots, K, positions, H), for the current mesh's platform.

    There may be some positions more than asked for. ``scanned``: a scan goes over the layers.
    """
    L, slots, K, length, H = shape
    if length > BLOCK:
        length += -length % BLOCK
    groups, sizes = [L], [length]
    if on_cpu():
        size = -(-length // MAX_STRETCHES)
        size += -size % BLOCK
        sizes = [min(size, length - at) for at in range(0, length, size)]
        groups = groups if scanned else [1] * L

    def zeros(count: int, size: int) -> jax.Array:
        return constrain(jnp.zeros((count, slots, K, size, H), dtype), *AXES)

    return tuple(tuple(zeros(count, size) for size in sizes) for count in groups)


def shape(store: Store) -> tuple[int, int, int, int, int]:
    """(layers, slots, K, positions, H)."""
    layers = sum(group[0].shape[0] for group in store)
    _, slots, K, _, H = store[0][0].shape
    return layers, slots, K, sum(array.shape[3] for array in store[0]), H


def layer_stretches(
    store: Store, layer: int | jax.Array
) -> Iterator[tuple[int, Float[Array, "layers slots K S H"], int | jax.Array]]:
    """Of each stretch of a layer: first position, array, and the layer's place in the array.

    ``layer`` is a number where layers lie apart, so they cannot be scanned there.
    """
    group, place = (store[layer], 0) if len(store) > 1 else (store[0], layer)
    start = 0
    for array in group:
        yield start, array, place
        start += array.shape[3]


def first_rows(store: Store, count: int, length: jax.Array) -> Store:
    """The first ``count`` slots for a loop that reads them at every step.

    On a CPU one copy for all steps, where each step would make its own; of stretches behind
    ``length`` it has zeros. Elsewhere, and of all slots, the store itself.
    """
    if count == store[0][0].shape[1] or not on_cpu():
        return store
    start, columns = 0, []
    for column in zip(*store, strict=True):
        cut = jax.lax.cond(
            length > start,
            lambda column=column: tuple(array[:, :count] for array in column),
            lambda column=column: tuple(jnp.zeros_like(array[:, :count]) for array in column),
        )
        columns.append(cut)
        start += column[0].shape[3]
    return tuple(zip(*columns, strict=True))


def append(
    store: Store,
    new_LBKTH: Float[Array, "L B K T H"],
    slots_B: Int[Array, " B"],
    positions_BT: Int[Array, "B T"],
    real_BT: Bool[Array, "B T"],
) -> Store:
    """With the real new columns at their positions; slots out of range are dropped."""
    first, groups = 0, []
    for group in store:
        layers = slice(first, first + group[0].shape[0])
        new = new_LBKTH[layers].transpose(1, 3, 0, 2, 4)  # as axes come that are indexed by arrays
        first = layers.stop

        def put(array: jax.Array, start: int, new: jax.Array = new) -> jax.Array:
            size = array.shape[3]
            here = positions_BT - start
            here = jnp.where(real_BT & (here >= 0) & (here < size), here, size)
            return array.at[:, slots_B[:, None], :, here].set(new, mode="drop")

        groups.append(_stretches(group, put))
    return tuple(groups)


def copy_row(store: Store, source: jax.Array, target: jax.Array, length: jax.Array) -> Store:
    """The target's first ``length`` positions become the source's, and some behind them may."""
    # The source is written over itself: rows in pairs compile in a fifth of the time, as a gather
    # and a scatter.
    both, twice = jnp.array([source, target]), jnp.array([source, source])
    return _up_to(length, store, lambda array: array.at[:, both].set(array[:, twice]))


def swap_rows(store: Store, pair: Int[Array, " 2"], length: jax.Array) -> Store:
    """The pair's first ``length`` positions change places, and some behind them may."""

    def exchanged(array: jax.Array) -> jax.Array:
        # As one read and one write: with two of each XLA copies the whole array.
        return array.at[:, pair[::-1]].set(array[:, pair])

    return _up_to(length, store, exchanged)


def _stretches(
    group: tuple[jax.Array, ...], change: Callable[[jax.Array, int], jax.Array]
) -> tuple[jax.Array, ...]:
    """``change(array, first position)`` of each stretch."""
    starts = [sum(array.shape[3] for array in group[:number]) for number in range(len(group))]
    return tuple(change(array, start) for array, start in zip(group, starts, strict=True))


def _up_to(length: jax.Array, store: Store, change: Callable[[jax.Array], jax.Array]) -> Store:
    """``change`` of the stretches that begin before ``length``, of all layers together."""
    start, columns = 0, []
    for column in zip(*store, strict=True):
        # A loop of one round or none: unlike a branch, it changes the arrays where they lie.
        count = jnp.where(length > start, 1, 0)
        columns.append(jax.lax.fori_loop(0, count, lambda _, found: _map(change, found), column))
        start += column[0].shape[3]
    return tuple(zip(*columns, strict=True))


def _map(change: Callable, arrays: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    return tuple(map(change, arrays))
