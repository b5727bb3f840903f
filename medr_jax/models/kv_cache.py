"""Keys, values and convolution inputs of rows in progress.

Each row has a slot and its own length; there is no padding on the left. New tokens come in
through an ``Extension``, the same for a prompt and for single tokens: it holds what is new of
all rows side by side, so that one store serves them all, and reads the slots as they are.
``KVCache.commit`` then puts what is new at the end of each row.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from medr_jax.models.cached_attention import Sums
from medr_jax.models.config import ModelConfig
from medr_jax.models.kv_store import Store, axes, empty, on_cpu
from medr_jax.sharding import abstract_arrays, named_sharding


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """A pytree: pass it to jit with donation, and keep the one that comes back."""

    # Any: tree functions put shardings and shapes where arrays stand.
    keys: Any  # Store
    values: Any  # Store
    conv: Any  # (layers, slots, taps - 1, D): last inputs of the short convolution
    prompt_conv: Any  # (layers, slots, taps - 1, D): the same, at the end of the prompt
    lengths: Any  # (slots,) int32

    @classmethod
    def create(cls, config: ModelConfig, num_slots: int, max_length: int) -> "KVCache":
        """Empty slots for ``max_length`` tokens each."""
        L, K, H = config.num_layers, config.num_kv_heads, config.head_dim
        shape = (L, num_slots, K, H, max_length)
        past = (L, num_slots, max(config.short_conv_width - 1, 0), config.embed_dim)
        keys, values = (
            Store.create(shape, config.dtype, last=last, scanned=config.scan_layers)
            for last in (config.num_heads > K, False)
        )
        return cls(
            keys=keys,
            values=values,
            conv=jnp.zeros(past, config.dtype),
            prompt_conv=jnp.zeros(past, config.dtype),
            lengths=jnp.zeros((num_slots,), jnp.int32),
        )

    @classmethod
    def abstract(
        cls, config: ModelConfig, num_slots: int, max_length: int, mesh: Mesh
    ) -> "KVCache":
        """What ``create`` would make on the mesh, as shapes with shardings."""
        with jax.set_mesh(mesh):
            shapes = jax.eval_shape(lambda: cls.create(config, num_slots, max_length))

        def split(store: Store) -> Store:
            names = axes(store.last)
            return jax.tree.map(lambda array: named_sharding(mesh, names, array.shape), store)

        whole = NamedSharding(mesh, PartitionSpec())
        return abstract_arrays(
            shapes, cls(split(shapes.keys), split(shapes.values), whole, whole, whole)
        )

    def extension(
        self, width: int, active_B: Bool[Array, " B"], slots_B: Int[Array, " B"] | None = None
    ) -> "Extension":
        """Room for ``width`` new tokens in each of B rows; without ``slots_B``, row b is slot b.

        Slots of active rows are distinct. What comes out for other rows means nothing.
        """
        B = active_B.shape[0]
        starts_B = self.lengths[:B] if slots_B is None else self.lengths[slots_B]
        L, _, K, H, _ = self.keys.shape
        shape = (L, B, K, H, width)
        return Extension(
            base=self,
            keys=empty(shape, self.keys.dtype, last=self.keys.last),
            values=empty(shape, self.values.dtype, last=self.values.last),
            conv=self.conv[:, :B] if slots_B is None else self.conv[:, slots_B],
            slots_B=slots_B,
            starts_B=starts_B,
            counts_B=jnp.zeros((B,), jnp.int32),
            used=jnp.int32(0),
            longest=jnp.max(jnp.where(active_B, starts_B, 0)),
            keys_last=self.keys.last,
        )

    def rows_of(self, new: "Extension") -> "KVCache":
        """The rows of ``new`` alone, as a loop that decodes reads them at each step."""
        B = new.counts_B.shape[0]
        assert new.slots_B is None
        return dataclasses.replace(
            self,
            keys=self.keys.first_rows(B, new.longest),
            values=self.values.first_rows(B, new.longest),
        )

    def commit(self, new: "Extension") -> "KVCache":
        """With the extension's tokens at the end of their rows."""
        slots = jnp.arange(new.counts_B.shape[0]) if new.slots_B is None else new.slots_B
        # Rows without new tokens may name any slot, another row's too: they must not write.
        written = jnp.where(new.counts_B > 0, slots, self.lengths.shape[0])
        return dataclasses.replace(
            self,
            keys=self.keys.append(new.keys, written, *new._places()),
            values=self.values.append(new.values, written, *new._places()),
            conv=self.conv.at[:, written].set(new.conv, mode="drop"),
            lengths=self.lengths.at[written].add(new.counts_B, mode="drop"),
        )

    def clear(self, slots: Int[Array, " n"]) -> "KVCache":
        """Empties slots for new rows; a slot number out of range is ignored."""
        return dataclasses.replace(
            self,
            conv=self.conv.at[:, slots].set(0, mode="drop"),
            lengths=self.lengths.at[slots].set(0, mode="drop"),
        )

    def keep_prompts(self, slots: Int[Array, " n"]) -> "KVCache":
        """Notes that the rows in these slots stand at the end of their prompts.

        Other rows can start there, also when these have gone on; out of range is ignored.
        """
        conv = self.conv[:, jnp.minimum(slots, self.conv.shape[1] - 1)]
        prompt_conv = self.prompt_conv.at[:, slots].set(conv, mode="drop")
        return dataclasses.replace(self, prompt_conv=prompt_conv)

    def copy_prompts(
        self,
        sources: Int[Array, " n"],
        targets: Int[Array, " n"],
        lengths: Int[Array, " n"],
        count: Int[Array, ""],
    ) -> "KVCache":
        """The first ``count`` targets begin with their source's kept prompt, one after another."""

        def one(i: jax.Array, cache: KVCache) -> KVCache:
            source, target = sources[i], targets[i]
            conv = cache.prompt_conv[:, source]
            return KVCache(
                keys=cache.keys.copy_row(source, target, lengths[i]),
                values=cache.values.copy_row(source, target, lengths[i]),
                conv=cache.conv.at[:, target].set(conv),
                prompt_conv=cache.prompt_conv.at[:, target].set(conv),
                lengths=cache.lengths.at[target].set(lengths[i]),
            )

        return jax.lax.fori_loop(0, count, one, self)

    def swap(
        self, ones: Int[Array, " n"], others: Int[Array, " n"], count: Int[Array, ""]
    ) -> "KVCache":
        """The first ``count`` pairs of slots exchange their rows, one pair after another."""

        def one(i: jax.Array, cache: KVCache) -> KVCache:
            pair = jnp.stack([ones[i], others[i]])
            turned = pair[::-1]
            longest = jnp.max(cache.lengths[pair])
            return KVCache(
                keys=cache.keys.swap_rows(pair, longest),
                values=cache.values.swap_rows(pair, longest),
                conv=cache.conv.at[:, pair].set(cache.conv[:, turned]),
                prompt_conv=cache.prompt_conv.at[:, pair].set(cache.prompt_conv[:, turned]),
                lengths=cache.lengths.at[pair].set(cache.lengths[turned]),
            )

        return jax.lax.fori_loop(0, count, one, self)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Extension:
    """New tokens of B rows, column by column. Row b's first ``counts_B[b]`` columns are real."""

    base: KVCache | None  # as it was before; None while a loop carries only what is new
    keys: Any  # (layers, B, K, width, H), or (layers, B, K, H, width) where keys_last
    values: Any  # (layers, B, K, width, H)
    conv: Any  # (layers, B, taps - 1, D)
    slots_B: Any  # None: row b in slot b
    starts_B: Any  # tokens the slots hold
    counts_B: Any  # real new tokens
    used: Any  # () columns filled
    longest: Any  # () tokens in the slot of the longest active row
    keys_last: bool = dataclasses.field(metadata={"static": True})  # positions, as in the store

    @property
    def lengths_B(self) -> Int[Array, " B"]:
        """Tokens of each row, new ones included."""
        return self.starts_B + self.counts_B

    def over(self, base: KVCache | None) -> "Extension":
        """The same new tokens on ``base``."""
        return dataclasses.replace(self, base=base)

    def put(self, rows: "Extension", first: int | jax.Array) -> "Extension":
        """With the columns of ``rows`` as those of the rows from ``first`` on."""

        def at(old: jax.Array, new: jax.Array, axis: int) -> jax.Array:
            return jax.lax.dynamic_update_slice_in_dim(old, new, first, axis)

        return dataclasses.replace(
            self,
            keys=at(self.keys, rows.keys, 1),
            values=at(self.values, rows.values, 1),
            conv=at(self.conv, rows.conv, 1),
            counts_B=at(self.counts_B, rows.counts_B, 0),
            used=rows.used,
        )

    def write(
        self, layer: int | jax.Array, k_BTKH: Float[Array, "B T K H"], v_BTKH: jax.Array
    ) -> "Extension":
        """Stores keys and values in the next columns."""
        k_BKTH, v_BKTH = k_BTKH.swapaxes(1, 2), v_BTKH.swapaxes(1, 2)
        at = (layer, 0, 0, self.used, 0)
        if self.keys_last:
            keys = _put(self.keys, k_BKTH.swapaxes(2, 3), (layer, 0, 0, 0, self.used))
        else:
            keys = _put(self.keys, k_BKTH, at)
        return dataclasses.replace(self, keys=keys, values=_put(self.values, v_BKTH, at))

    def attend(
        self, layer: int | jax.Array, q_BTNH: Float[Array, "B T N H"]
    ) -> Float[Array, "B T N H"]:
        """Attention of the newest columns over all before them, themselves included."""
        B, T, N, H = q_BTNH.shape
        K = self.keys.shape[2]
        q = (q_BTNH * H**-0.5).reshape(B, T, K, N // K, H).transpose(0, 2, 3, 1, 4)
        sums = Sums.none(q)
        stores = (store.layer_stretches(layer) for store in (self.base.keys, self.base.values))
        for (start, *keys), (_, *values) in zip(*stores, strict=True):

            def absorb(sums: Sums, start: int = start, kv: tuple = (keys, values)) -> Sums:
                keys, values_BKSH = (self._rows(*where) for where in kv)
                size = values_BKSH.shape[2]
                old = start + jnp.arange(size) < self.starts_B[:, None, None]
                mask = jnp.broadcast_to(old, (B, T, size))
                return sums.add(q, keys, values_BKSH, mask, keys_last=self.keys_last)

            if on_cpu():
                sums = jax.lax.cond(self.longest > start, absorb, lambda sums: sums, sums)
            else:
                sums = absorb(sums)
        width = self.values.shape[3]
        seen = jnp.arange(width) <= (self.used + jnp.arange(T))[None, :, None]
        new = (self.keys[layer], self.values[layer])
        sums = sums.add(q, *new, seen, keys_last=self.keys_last)
        out_BTKGH = sums.result().transpose(0, 3, 1, 2, 4)
        return out_BTKGH.reshape(B, T, N, H).astype(q_BTNH.dtype)

    def past_inputs(self, layer: int | jax.Array) -> Float[Array, "B C D"]:
        """The convolution's last inputs before the next columns; zeros before the first token."""
        return self.conv[layer]

    def remember_inputs(
        self, layer: int | jax.Array, x_BTD: Float[Array, "B T D"], num_new_B: Int[Array, " B"]
    ) -> "Extension":
        """Keeps the last inputs up to each row's last real token."""
        old = self.past_inputs(layer)
        inputs = jnp.concatenate([old.astype(x_BTD.dtype), x_BTD], axis=1)
        if x_BTD.shape[1] == 1:
            kept = jnp.where(num_new_B[:, None, None] > 0, inputs[:, 1:], inputs[:, :-1])
        else:
            index = num_new_B[:, None] + jnp.arange(old.shape[1])
            kept = jnp.take_along_axis(inputs, index[..., None], axis=1)
        return dataclasses.replace(self, conv=self.conv.at[layer].set(kept.astype(old.dtype)))

    def advance(self, columns: int, num_new_B: Int[Array, " B"]) -> "Extension":
        """Counts columns in, of which each row's first ``num_new_B`` are real.

        Several columns at once may only be an extension's first: rows of which not all were
        real would go on behind a gap.
        """
        counts_B = self.counts_B + num_new_B
        return dataclasses.replace(self, counts_B=counts_B, used=self.used + columns)

    def _places(self) -> tuple[Int[Array, "B T"], Bool[Array, "B T"]]:
        """The position of each column in its row, and whether it is real."""
        columns = jnp.arange(self.values.shape[3])
        return self.starts_B[:, None] + columns, columns < self.counts_B[:, None]

    def _rows(
        self, array: Float[Array, "layers slots K ..."], layer: int | jax.Array
    ) -> Float[Array, "B K ..."]:
        """Of all slots of a layer, those of the extension's rows."""
        if self.slots_B is not None:
            return array[layer, self.slots_B]
        B = self.starts_B.shape[0]
        return array[layer][:B]


def _put(array: jax.Array, new: jax.Array, at: tuple) -> jax.Array:
    return jax.lax.dynamic_update_slice(array, new[None].astype(array.dtype), at)
