"""Keys, values and convolution inputs of rows in progress. The layout is private to this file.

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

from medr_jax.models.cached_attention import Sums, on_cpu
from medr_jax.models.config import ModelConfig
from medr_jax.sharding import abstract_arrays, constrain, named_sharding

BLOCK = 64
"""Keys that attention reads at a time on a CPU, where it stops after the longest row's last."""

_AXES = ("layers", "batch", None, "kv_heads", "head_dim")  # logical axes of keys and values


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """A pytree: pass it to jit with donation, and keep the one that comes back."""

    # Any: tree functions put shardings and shapes where arrays stand.
    keys: Any  # (layers, slots, S, K, H)
    values: Any  # (layers, slots, S, K, H)
    conv: Any  # (layers, slots, taps - 1, D): last inputs of the short convolution
    prompt_conv: Any  # (layers, slots, taps - 1, D): the same, at the end of the prompt
    lengths: Any  # (slots,) int32

    @classmethod
    def create(cls, config: ModelConfig, num_slots: int, max_length: int) -> "KVCache":
        """Empty slots for ``max_length`` tokens each."""
        L, K, H = config.num_layers, config.num_kv_heads, config.head_dim
        if max_length > BLOCK:
            max_length += -max_length % BLOCK
        shape = (L, num_slots, max_length, K, H)
        past = (L, num_slots, max(config.short_conv_width - 1, 0), config.embed_dim)
        return cls(
            keys=constrain(jnp.zeros(shape, config.dtype), *_AXES),
            values=constrain(jnp.zeros(shape, config.dtype), *_AXES),
            conv=jnp.zeros(past, config.dtype),
            prompt_conv=jnp.zeros(past, config.dtype),
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
        return abstract_arrays(shapes, cls(split, split, whole, whole, whole))

    def extension(
        self, width: int, active_B: Bool[Array, " B"], slots_B: Int[Array, " B"] | None = None
    ) -> "Extension":
        """Room for ``width`` new tokens in each of B rows; without ``slots_B``, row b is slot b.

        Slots of active rows are distinct. What comes out for other rows means nothing.
        """
        B = active_B.shape[0]
        starts_B = self.lengths[:B] if slots_B is None else self.lengths[slots_B]
        L, _, S, K, H = self.keys.shape
        block = min(S, BLOCK) if on_cpu() else S
        longest = jnp.max(jnp.where(active_B, starts_B, 0))
        room = constrain(jnp.zeros((L, B, width, K, H), self.keys.dtype), *_AXES)
        return Extension(
            base=self,
            keys=room,
            values=room,
            conv=self.conv[:, :B] if slots_B is None else self.conv[:, slots_B],
            slots_B=slots_B,
            starts_B=starts_B,
            counts_B=jnp.zeros((B,), jnp.int32),
            used=jnp.int32(0),
            num_blocks=(longest + block - 1) // block,
        )

    def commit(self, new: "Extension") -> "KVCache":
        """With the extension's tokens at the end of their rows."""
        slots = jnp.arange(new.counts_B.shape[0]) if new.slots_B is None else new.slots_B
        # Rows without new tokens may name any slot, another row's too: they must not write.
        written = jnp.where(new.counts_B > 0, slots, self.lengths.shape[0])
        return dataclasses.replace(
            self,
            keys=_append(self.keys, new.keys, written, new),
            values=_append(self.values, new.values, written, new),
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

            def copied(array: jax.Array) -> jax.Array:
                return _over_blocks(
                    array, lengths[i], lambda a, at: _put(a, target, at, _cut(a, source, at))
                )

            conv = cache.prompt_conv[:, source]
            return KVCache(
                keys=copied(cache.keys),
                values=copied(cache.values),
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

            def exchange(array: jax.Array, at: jax.Array) -> jax.Array:
                # As one read and one write: with two of each XLA copies the whole array.
                places = at + jnp.arange(min(array.shape[2], BLOCK))
                return array.at[:, turned[:, None], places].set(array[:, pair[:, None], places])

            longest = jnp.max(cache.lengths[pair])
            return KVCache(
                keys=_over_blocks(cache.keys, longest, exchange),
                values=_over_blocks(cache.values, longest, exchange),
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
    keys: Any  # (layers, B, width, K, H)
    values: Any
    conv: Any  # (layers, B, taps - 1, D)
    slots_B: Any  # None: row b in slot b
    starts_B: Any  # tokens the slots hold
    counts_B: Any  # real new tokens
    used: Any  # () columns filled
    num_blocks: Any  # () blocks of the slots that some active row has to see

    @property
    def lengths_B(self) -> Int[Array, " B"]:
        """Tokens of each row, new ones included."""
        return self.starts_B + self.counts_B

    def over(self, base: KVCache | None) -> "Extension":
        """The same new tokens on ``base``."""
        return dataclasses.replace(self, base=base)

    def write(
        self, layer: int | jax.Array, k_BTKH: Float[Array, "B T K H"], v_BTKH: jax.Array
    ) -> "Extension":
        """Stores keys and values in the next columns."""
        at = (layer, 0, self.used, 0, 0)
        keys, values = (
            jax.lax.dynamic_update_slice(array, new[None].astype(array.dtype), at)
            for array, new in ((self.keys, k_BTKH), (self.values, v_BTKH))
        )
        return dataclasses.replace(self, keys=keys, values=values)

    def attend(
        self, layer: int | jax.Array, q_BTNH: Float[Array, "B T N H"]
    ) -> Float[Array, "B T N H"]:
        """Attention of the newest columns over all before them, themselves included."""
        B, T, N, H = q_BTNH.shape
        S, K = self.base.keys.shape[2:4]
        q = (q_BTNH * H**-0.5).reshape(B, T, K, N // K, H).transpose(0, 2, 3, 1, 4)
        block = min(S, BLOCK) if on_cpu() else S

        def absorb(index: jax.Array, sums: Sums) -> Sums:
            at = index * block
            keys, values = (
                self._block(array, layer, at, block) for array in (self.base.keys, self.base.values)
            )
            old = at + jnp.arange(block) < self.starts_B[:, None, None]
            return sums.add(q, keys, values, jnp.broadcast_to(old, (B, T, block)))

        if block == S:
            sums = absorb(jnp.int32(0), Sums.none(q))
        else:
            sums = jax.lax.fori_loop(0, self.num_blocks, absorb, Sums.none(q))
        width = self.keys.shape[2]
        seen = jnp.arange(width) <= (self.used + jnp.arange(T))[None, :, None]
        sums = sums.add(q, self.keys[layer], self.values[layer], seen)
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

    def _block(
        self, array: jax.Array, layer: int | jax.Array, at: jax.Array, size: int
    ) -> Float[Array, "B size K H"]:
        """Positions [at, at + size) of a layer's keys or values, row by row."""
        K, H = array.shape[3:]
        if self.slots_B is None:
            B = self.starts_B.shape[0]
            return jax.lax.dynamic_slice(array, (layer, 0, at, 0, 0), (1, B, size, K, H))[0]

        def one(slot: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice(array, (layer, slot, at, 0, 0), (1, 1, size, K, H))[0, 0]

        return jax.vmap(one)(self.slots_B)


def _append(
    array: jax.Array, new: jax.Array, slots_B: jax.Array, rows: Extension
) -> Float[Array, "L slots S K H"]:
    """Puts each row's real columns behind its tokens; slots out of range are dropped."""
    columns = jnp.arange(new.shape[2])
    positions = rows.starts_B[:, None] + columns
    positions = jnp.where(columns < rows.counts_B[:, None], positions, array.shape[2])
    return array.at[:, slots_B[:, None], positions].set(new, mode="drop")


def _over_blocks(array: jax.Array, length: jax.Array, change: Any) -> jax.Array:
    """``change(array, at)`` for each block of the first ``length`` positions."""
    size = min(array.shape[2], BLOCK)
    count = (length + size - 1) // size
    return jax.lax.fori_loop(0, count, lambda i, array: change(array, i * size), array)


def _cut(array: jax.Array, slot: jax.Array, at: jax.Array) -> jax.Array:
    L, _, S, K, H = array.shape
    return jax.lax.dynamic_slice(array, (0, slot, at, 0, 0), (L, 1, min(S, BLOCK), K, H))


def _put(array: jax.Array, slot: jax.Array, at: jax.Array, part: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_slice(array, part, (0, slot, at, 0, 0))
