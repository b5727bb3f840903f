"""Keys, values and convolution inputs of rows in progress. The layout is private to this file.

Rows grow by any number of tokens at a time, each at its own length: no padding on the left, and
the same code for a prompt and for a single token.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from medr_jax.models.attention_backends import mesh_platform
from medr_jax.models.config import ModelConfig
from medr_jax.sharding import abstract_arrays, constrain, named_sharding

_AXES = ("layers", "batch", None, "kv_heads", "head_dim")
"""Logical axes of keys and values."""


class Rows(NamedTuple):
    """Which cache slots an extension addresses and how far it fills them."""

    slots_B: jax.Array | None  # distinct among rows that have new tokens; None: row b in slot b
    starts_B: jax.Array  # tokens the slot held before
    num_new_B: jax.Array  # of the T columns given, how many of this row are real


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """A pytree: pass it to jit with donation, and keep the one that comes back."""

    # Any: tree functions put shardings and shapes where arrays stand.
    keys: Any  # (layers, slots, S, K, H)
    values: Any  # (layers, slots, S, K, H)
    conv: Any  # (layers, slots, taps - 1, D): last inputs of the short convolution
    lengths: Any  # (slots,) int32

    @classmethod
    def create(cls, config: ModelConfig, num_slots: int, max_length: int) -> "KVCache":
        """Empty slots for ``max_length`` tokens each."""
        L, K, H = config.num_layers, config.num_kv_heads, config.head_dim
        shape = (L, num_slots, max_length, K, H)
        past = max(config.short_conv_width - 1, 0)
        return cls(
            keys=constrain(jnp.zeros(shape, config.dtype), *_AXES),
            values=constrain(jnp.zeros(shape, config.dtype), *_AXES),
            conv=jnp.zeros((L, num_slots, past, config.embed_dim), config.dtype),
            lengths=jnp.zeros((num_slots,), jnp.int32),
        )

    @classmethod
    def abstract(
        cls, config: ModelConfig, num_slots: int, max_length: int, mesh: Mesh
    ) -> "KVCache":
        """What ``create`` would make on the mesh, as shapes with shardings."""
        shapes = jax.eval_shape(lambda: cls.create(config, num_slots, max_length))
        split = named_sharding(mesh, _AXES, shapes.keys.shape)
        whole = NamedSharding(mesh, PartitionSpec())
        return abstract_arrays(shapes, cls(keys=split, values=split, conv=whole, lengths=whole))

    def rows(self, num_new_B: Int[Array, " B"], slots_B: Int[Array, " B"] | None = None) -> Rows:
        """Addresses of the next tokens; without ``slots_B``, row b is slot b."""
        starts_B = self.lengths if slots_B is None else self.lengths[slots_B]
        return Rows(slots_B, starts_B, num_new_B)

    def write(
        self,
        layer: int | jax.Array,
        k_BTKH: Float[Array, "B T K H"],
        v_BTKH: Float[Array, "B T K H"],
        rows: Rows,
    ) -> "KVCache":
        """Stores new keys and values at each row's own positions."""
        columns = jnp.arange(k_BTKH.shape[1])
        positions = rows.starts_B[:, None] + columns
        # Columns that are not real go out of bounds, where the scatter drops them.
        positions = jnp.where(columns < rows.num_new_B[:, None], positions, self.keys.shape[2])
        where = (layer, _slots(rows)[:, None], positions)
        return dataclasses.replace(
            self,
            keys=self.keys.at[where].set(k_BTKH.astype(self.keys.dtype), mode="drop"),
            values=self.values.at[where].set(v_BTKH.astype(self.values.dtype), mode="drop"),
        )

    def attend(
        self, layer: int | jax.Array, q_BTNH: Float[Array, "B T N H"], rows: Rows
    ) -> Float[Array, "B T N H"]:
        """Attention of new queries over their slot, up to and including their own position."""
        keys, values = (_of_rows(array, layer, rows) for array in (self.keys, self.values))
        B, T, N, H = q_BTNH.shape
        K = keys.shape[2]
        own = rows.starts_B[:, None] + jnp.arange(T)
        mask_BTS = jnp.arange(keys.shape[1]) <= own[..., None]
        q_BTKGH = q_BTNH.reshape(B, T, K, N // K, H) * H**-0.5
        if T == 1 and mesh_platform() in ("cpu", ""):
            return _attend_one(q_BTKGH[:, 0], keys, values, mask_BTS[:, 0]).reshape(B, T, N, H)
        scores = jnp.einsum("BTKGH,BSKH->BKGTS", q_BTKGH, keys, preferred_element_type=jnp.float32)
        scores = jnp.where(mask_BTS[:, None, None], scores, jnp.finfo(jnp.float32).min)
        weights = jax.nn.softmax(scores, axis=-1).astype(values.dtype)
        return jnp.einsum("BKGTS,BSKH->BTKGH", weights, values).reshape(B, T, N, H)

    def past_inputs(self, layer: int | jax.Array, rows: Rows) -> Float[Array, "B C D"]:
        """The convolution's last inputs before the new tokens; zeros before the first."""
        return _of_rows(self.conv, layer, rows)

    def remember_inputs(
        self, layer: int | jax.Array, x_BTD: Float[Array, "B T D"], rows: Rows
    ) -> "KVCache":
        """Keeps the last inputs up to each row's last real token."""
        past = self.conv.shape[2]
        inputs = jnp.concatenate([self.past_inputs(layer, rows).astype(x_BTD.dtype), x_BTD], axis=1)
        index = rows.num_new_B[:, None] + jnp.arange(past)
        kept = jnp.take_along_axis(inputs, index[..., None], axis=1)
        # Rows without new tokens may name any slot, another row's too: they must not write.
        slots = jnp.where(rows.num_new_B > 0, _slots(rows), self.conv.shape[1])
        conv = self.conv.at[layer, slots].set(kept.astype(self.conv.dtype), mode="drop")
        return dataclasses.replace(self, conv=conv)

    def advance(self, rows: Rows) -> "KVCache":
        """Counts the new tokens in."""
        lengths = self.lengths.at[_slots(rows)].add(rows.num_new_B)
        return dataclasses.replace(self, lengths=lengths)

    def clear(self, slots: Int[Array, " n"]) -> "KVCache":
        """Empties slots for new rows; a slot number out of range is ignored."""
        return dataclasses.replace(
            self,
            conv=self.conv.at[:, slots].set(0, mode="drop"),
            lengths=self.lengths.at[slots].set(0, mode="drop"),
        )


def _slots(rows: Rows) -> jax.Array:
    if rows.slots_B is None:
        return jnp.arange(rows.num_new_B.shape[0], dtype=jnp.int32)
    return rows.slots_B


def _of_rows(array: jax.Array, layer: int | jax.Array, rows: Rows) -> jax.Array:
    """A layer's part of the cache, row by row; in place it is no copy."""
    return array[layer] if rows.slots_B is None else array[layer, rows.slots_B]


def _attend_one(
    q_BKGH: jax.Array, keys_BSKH: jax.Array, values_BSKH: jax.Array, mask_BS: jax.Array
) -> jax.Array:
    """Attention of a single query a row as products and sums, (B, K, G, H).

    XLA's CPU backend turns matrix products of one row into slow loops.
    """
    products = q_BKGH[:, None].astype(jnp.float32) * keys_BSKH[:, :, :, None]
    scores_BSKG = jnp.where(mask_BS[..., None, None], products.sum(-1), jnp.finfo(jnp.float32).min)
    weights_BSKG = jax.nn.softmax(scores_BSKG, axis=1)
    out = jnp.sum(weights_BSKG[..., None] * values_BSKH[:, :, :, None], axis=1)
    return out.astype(values_BSKH.dtype)
