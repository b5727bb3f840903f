"""How the keys, or the values, of all slots lie in memory.

Where several heads of queries share one of keys, its keys have their positions last: the products
of attention read them so, where a CPU would else first write all keys down the other way round.
Values, and keys of a single head of queries, have positions before the last axis. On a CPU there
is an array for each stretch of positions,
so that attention passes over those that no row has reached, and one for each layer, too, where
layers are not scanned: XLA copies whatever is cut from an array before it goes into a matrix
product, and of keys and values that copy costs more than the product. Elsewhere there is one
array.
"""

import dataclasses
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

Arrays = tuple[jax.Array, ...]


def on_cpu() -> bool:
    """Whether the current mesh is one of CPUs, or there is none."""
    return mesh_platform() in ("cpu", "")


def axes(last: bool) -> tuple[str | None, ...]:
    """Logical axes of an array; ``last``: the last of them is that of positions."""
    ends = ("head_dim", None) if last else (None, "head_dim")
    return ("layers", "batch", "kv_heads", *ends)


def empty(shape: tuple[int, int, int, int, int], dtype: Any, *, last: bool) -> jax.Array:
    """Zeros for (layers, rows, K, H, positions), with positions as the last axis or before H."""
    *front, H, length = shape
    ends = (H, length) if last else (length, H)
    return constrain(jnp.zeros((*front, *ends), dtype), *axes(last))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Store:
    """Arrays (layers, slots, K, positions, H) or (layers, slots, K, H, positions).

    ``groups``: groups of layers, of each the stretches of positions.
    """

    groups: Any  # tuple[Arrays, ...]; tree functions put shardings and shapes where arrays stand
    last: bool = dataclasses.field(metadata={"static": True})  # positions are the last axis

    @classmethod
    def create(
        cls,
        shape: tuple[int, int, int, int, int],
        dtype: Any,
        *,
        last: bool,
        scanned: bool,
    ) -> "Store":
        """Zeros for (layers, slots, K, H, positions), for the current mesh's platform.

        There may be some positions more than asked for. ``scanned``: a scan goes over the layers.
        """
        L, slots, K, H, length = shape
        if length > BLOCK:
            length += -length % BLOCK
        groups, sizes = [L], [length]
        if on_cpu():
            size = -(-length // MAX_STRETCHES)
            size += -size % BLOCK
            sizes = [min(size, length - at) for at in range(0, length, size)]
            groups = groups if scanned else [1] * L

        def zeros(count: int, size: int) -> jax.Array:
            return empty((count, slots, K, H, size), dtype, last=last)

        made = tuple(tuple(zeros(count, size) for size in sizes) for count in groups)
        return cls(made, last)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(layers, slots, K, H, positions)."""
        layers = sum(group[0].shape[0] for group in self.groups)
        _, slots, K, one, other = self.groups[0][0].shape
        H = one if self.last else other
        return layers, slots, K, H, sum(map(self._size, self.groups[0]))

    @property
    def dtype(self) -> Any:
        """Of the arrays."""
        return self.groups[0][0].dtype

    def layer_stretches(
        self, layer: int | jax.Array
    ) -> Iterator[tuple[int, jax.Array, int | jax.Array]]:
        """Of each stretch of a layer: first position, array, and the layer's place in the array.

        ``layer`` is a number where layers lie apart, so they cannot be scanned there.
        """
        apart = len(self.groups) > 1
        group, place = (self.groups[layer], 0) if apart else (self.groups[0], layer)
        start = 0
        for array in group:
            yield start, array, place
            start += self._size(array)

    def first_rows(self, count: int, length: jax.Array) -> "Store":
        """The first ``count`` slots for a loop that reads them at every step.

        On a CPU one copy for all steps, where each step would make its own; of stretches behind
        ``length`` it has zeros. Elsewhere, and of all slots, the store itself.
        """
        if count == self.groups[0][0].shape[1] or not on_cpu():
            return self

        def cut(column: Arrays, start: int) -> Arrays:
            return jax.lax.cond(
                length > start,
                lambda: tuple(array[:, :count] for array in column),
                lambda: tuple(jnp.zeros_like(array[:, :count]) for array in column),
            )

        return self._by_column(cut)

    def append(
        self,
        new: Float[Array, "L B K *T"],
        slots_B: Int[Array, " B"],
        positions_BT: Int[Array, "B T"],
        real_BT: Bool[Array, "B T"],
    ) -> "Store":
        """With the real ones of T new columns, which lie as those of the store do, in their places.

        Slots out of range are dropped.
        """
        first, groups = 0, []
        for group in self.groups:
            layers = slice(first, first + group[0].shape[0])
            first = layers.stop
            # Axes that are indexed by arrays come first.
            columns = jnp.moveaxis(new[layers], (1, self._axis), (0, 1))
            start, stretches = 0, []
            for array in group:
                here = positions_BT - start
                here = jnp.where(real_BT & (here >= 0), here, self._size(array))
                places = (slice(None), slots_B[:, None], slice(None))
                places += (slice(None), here) if self.last else (here,)
                stretches.append(array.at[places].set(columns, mode="drop"))
                start += self._size(array)
            groups.append(tuple(stretches))
        return dataclasses.replace(self, groups=tuple(groups))

    def copy_row(self, source: jax.Array, target: jax.Array, length: jax.Array) -> "Store":
        """The target's first ``length`` positions become the source's, and some behind them may."""
        # The source is written over itself: rows in pairs compile in a fifth of the time, as a
        # gather and a scatter.
        both, twice = jnp.array([source, target]), jnp.array([source, source])
        return self._up_to(length, lambda array: array.at[:, both].set(array[:, twice]))

    def swap_rows(self, pair: Int[Array, " 2"], length: jax.Array) -> "Store":
        """The pair's first ``length`` positions change places, and some behind them may."""

        def exchanged(array: jax.Array) -> jax.Array:
            # As one read and one write: with two of each XLA copies the whole array.
            return array.at[:, pair[::-1]].set(array[:, pair])

        return self._up_to(length, exchanged)

    @property
    def _axis(self) -> int:
        return 4 if self.last else 3

    def _size(self, array: jax.Array) -> int:
        return array.shape[self._axis]

    def _by_column(self, change: Callable[[Arrays, int], Arrays]) -> "Store":
        """``change(arrays of all layers, first position)`` of each stretch."""
        start, columns = 0, []
        for column in zip(*self.groups, strict=True):
            columns.append(change(column, start))
            start += self._size(column[0])
        return dataclasses.replace(self, groups=tuple(zip(*columns, strict=True)))

    def _up_to(self, length: jax.Array, change: Callable[[jax.Array], jax.Array]) -> "Store":
        """``change`` of the stretches that begin before ``length``, of all layers together."""

        def changed(column: Arrays, start: int) -> Arrays:
            # A loop of one round or none: unlike a branch, it changes the arrays where they lie.
            count = jnp.where(length > start, 1, 0)
            return jax.lax.fori_loop(0, count, lambda _, found: tuple(map(change, found)), column)

        return self._by_column(changed)
