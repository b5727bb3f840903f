"""Slots that rollouts live in: open, extend with new tokens, step, read the result, close.

A rollout keeps its keys and values between turns, so its history is computed once. All running
rollouts decode together, several tokens per dispatch, whatever turn each is at.
"""

import functools
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax.agent.loop import Sampled
from medr_jax.models.kv_cache import KVCache
from medr_jax.models.transformer import Transformer
from medr_jax.sampling.logits import SamplingConfig, rollout_words, sample, turn_keys
from medr_jax.types import Status


@dataclass(kw_only=True, slots=True)
class EngineConfig(SamplingConfig):
    """Sizes are compiled in: a change of one compiles anew."""

    num_slots: int = 64  # rollouts open at once
    max_length: int = 512  # tokens of a rollout, all turns together
    chunk_steps: int = 16  # tokens per row and dispatch
    seed: int = 0
    prefill_rows: int = 16  # rows per prefill dispatch; ignored where slots are sharded
    prefill_widths: list[int] = field(default_factory=lambda: [16, 64, 256])

    def __post_init__(self) -> None:
        # Explicit: super() does not find the class that dataclass(slots=True) rebuilt.
        SamplingConfig.__post_init__(self)
        for name in ("num_slots", "max_length", "chunk_steps", "prefill_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"sampling.{name}={getattr(self, name)}; it must be at least 1")
        if not self.prefill_widths or min(self.prefill_widths) < 1:
            raise ValueError(
                f"sampling.prefill_widths={self.prefill_widths}; list one or more positive widths"
            )


@dataclass(kw_only=True, slots=True)
class _Row:
    """An open rollout, as the host sees it."""

    slot: int
    words: np.ndarray
    num_cached: int = 0
    unfed: list[int] = field(default_factory=list)  # tokens of its history not in the cache yet
    running: bool = False
    turn: int = 0
    remaining: int = 0
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    result: Sampled | None = None


class Engine:
    """Continuous batching over a fixed number of slots; compiled shapes are fixed."""

    def __init__(
        self,
        model: Transformer,
        config: EngineConfig,
        *,
        mesh: Mesh,
        stop_ids: Sequence[int],
        pad_id: int,
        banned_ids: Sequence[int] = (),
        policy_version: int = 0,
    ):
        """Holds the model's arrays by reference; ``banned_ids`` are never sampled, nor is pad."""
        self.config = config
        self.mesh = mesh
        self.stop_ids = tuple(sorted(set(stop_ids)))
        self.banned_ids = tuple(sorted({pad_id, *banned_ids}))
        if overlap := set(self.stop_ids) & set(self.banned_ids):
            raise ValueError(f"stop_ids and banned ids share {sorted(overlap)}; nothing would stop")
        self.policy_version = policy_version
        self.num_compiled = 0
        self._pad_id = pad_id
        self._vocab_size = model.config.vocab_size
        self._graph, self._params = nnx.split(model)
        self._rows: dict[int, _Row] = {}
        self._next_handle = 0
        self._free = list(range(config.num_slots))
        self._to_clear: set[int] = set()
        self._prefill_rows = prefill_rows(config, mesh)
        with jax.set_mesh(mesh):
            self._cache = jax.jit(
                lambda: KVCache.create(model.config, config.num_slots, config.max_length)
            )()
        self._clear = self._jit(lambda cache, slots: cache.clear(slots), donate=0)
        self._prefill = self._jit(functools.partial(prefill, self._graph), donate=1)
        self._decode = self._jit(
            functools.partial(decode, self._graph, config, self.stop_ids, self.banned_ids),
            donate=1,
        )

    @property
    def num_slots(self) -> int:
        """Rollouts that can be open at once."""
        return self.config.num_slots

    @property
    def num_free(self) -> int:
        """Slots that ``open`` can still hand out."""
        return len(self._free)

    def open(self, rollout_id: int | str) -> int:
        """A handle on an empty slot. The id keys the rollout's sampling noise.

        Raises:
            ValueError: no slot is free.
        """
        if not self._free:
            raise ValueError(
                f"all {self.config.num_slots} slots are open; close one or raise num_slots"
            )
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        row = _Row(slot=heapq.heappop(self._free), words=rollout_words(rollout_id))
        self._rows[handle] = row
        self._to_clear.add(row.slot)
        return handle

    def extend(self, handle: int, new_ids: Sequence[int], max_tokens: int, turn: int = 0) -> None:
        """Appends context and asks for a completion of at most ``max_tokens`` tokens.

        A rollout whose history fills ``max_length`` gets an empty truncated result.
        """
        row = self._rows[handle]
        new_ids = [int(token) for token in new_ids]
        if row.running:
            raise ValueError(f"handle {handle} is still running; wait for its result")
        if max_tokens < 1 or not (row.unfed or new_ids):
            raise ValueError(
                f"max_tokens={max_tokens} with {len(new_ids)} new ids; an extension needs at "
                "least one token to continue from and one to sample"
            )
        if new_ids and not 0 <= min(new_ids) <= max(new_ids) < self._vocab_size:
            raise ValueError(f"new_ids hold an id outside the vocabulary of {self._vocab_size}")
        row.unfed += new_ids
        room = self.config.max_length - row.num_cached - len(row.unfed)
        row.token_ids, row.logprobs, row.result, row.turn = [], [], None, turn
        if room < 1:
            row.result = Sampled((), (), Status.TRUNCATED, self.policy_version)
            return
        row.remaining = min(max_tokens, room)
        row.running = True

    def step(self) -> bool:
        """Feeds pending context, then decodes one chunk. False when nothing is running."""
        running = [row for row in self._rows.values() if row.running]
        if not running:
            return False
        with jax.set_mesh(self.mesh):
            if self._to_clear:
                self._cache = self._clear(self._cache, self._slot_list(self._to_clear))
                self._to_clear.clear()
            while pending := [row for row in running if len(row.unfed) > 1]:
                self._prefill_some(pending)
            self._decode_chunk(running)
        return any(row.running for row in running)

    def result(self, handle: int) -> Sampled | None:
        """The completion of the last extension, or None while it runs."""
        return self._rows[handle].result

    def close(self, handle: int) -> None:
        """Frees the slot, running or not."""
        heapq.heappush(self._free, self._rows.pop(handle).slot)

    def set_params(self, params: nnx.State, version: int) -> None:
        """New weights, as ``nnx.split(model)[1]``; refused while rollouts are open.

        Their cached keys and values belong to the old weights.
        """
        if self._rows:
            raise ValueError(
                f"{len(self._rows)} rollouts are open on policy version {self.policy_version}; "
                "close them before new parameters come in"
            )
        self._params, self.policy_version = params, version

    def _prefill_some(self, pending: list[_Row]) -> None:
        """One dispatch for the rows with most to feed; all but their last token."""
        pending = sorted(pending, key=lambda row: (-len(row.unfed), row.slot))
        pending = pending[: self._prefill_rows]
        widths = sorted(self.config.prefill_widths)
        longest = len(pending[0].unfed) - 1
        width = next((width for width in widths if width >= longest), widths[-1])
        tokens = np.full((self._prefill_rows, width), self._pad_id, np.int32)
        num_new = np.zeros(self._prefill_rows, np.int32)
        slots = np.zeros(self._prefill_rows, np.int32)
        in_place = self._prefill_rows == self.config.num_slots
        for place, row in enumerate(pending):
            place = row.slot if in_place else place
            count = min(len(row.unfed) - 1, width)
            tokens[place, :count] = row.unfed[:count]
            num_new[place], slots[place] = count, row.slot
            row.unfed, row.num_cached = row.unfed[count:], row.num_cached + count
        self._cache = self._prefill(
            self._params, self._cache, tokens, num_new, None if in_place else slots
        )

    def _decode_chunk(self, running: list[_Row]) -> None:
        size = self.config.num_slots
        tokens, remaining = np.full(size, self._pad_id, np.int32), np.zeros(size, np.int32)
        turns, words = np.zeros(size, np.int32), np.zeros((size, 2), np.uint32)
        for row in running:
            tokens[row.slot], remaining[row.slot] = row.unfed[0], row.remaining
            turns[row.slot], words[row.slot] = row.turn, row.words
        self._cache, chunk = self._decode(
            self._params, self._cache, tokens, remaining, words, turns
        )
        chunk = np.asarray(chunk)  # the only device-to-host copy
        ids, logprobs = chunk[0], chunk[1].view(np.float32)
        for row in running:
            count = int(np.sum(ids[row.slot] >= 0))
            self._take(row, ids[row.slot, :count].tolist(), logprobs[row.slot, :count].tolist())

    def _take(self, row: _Row, ids: list[int], logprobs: list[float]) -> None:
        row.token_ids += ids
        row.logprobs += logprobs
        row.num_cached += len(ids)  # the fed token and all sampled but the last
        row.unfed = ids[-1:]
        row.remaining -= len(ids)
        stopped = ids[-1] in self.stop_ids
        if stopped or row.remaining == 0:
            status = Status.OK if stopped else Status.TRUNCATED
            row.result = Sampled(
                tuple(row.token_ids), tuple(row.logprobs), status, self.policy_version
            )
            row.running = False

    def _slot_list(self, slots: set[int]) -> np.ndarray:
        # One compiled shape: the rest of the list names a slot out of range, which is ignored.
        listed = np.full(self.config.num_slots, self.config.num_slots, np.int32)
        listed[: len(slots)] = sorted(slots)
        return listed

    def _jit(self, function, *, donate: int):
        def counted(*arguments):
            self.num_compiled += 1  # runs when traced only
            return function(*arguments)

        return jax.jit(counted, donate_argnums=donate)


def prefill_rows(config: EngineConfig, mesh: Mesh) -> int:
    """Rows of a prefill dispatch: all slots where they are split over devices, to stay there."""
    if mesh.shape["data"] * mesh.shape["fsdp"] > 1:
        return config.num_slots
    return min(config.prefill_rows, config.num_slots)


def prefill(graph, params, cache, tokens_BT, num_new_B, slots_B):
    """The cache with new context in it; without ``slots_B``, row b is slot b."""
    return nnx.merge(graph, params).extend(tokens_BT, cache, num_new_B, slots_B)[1]


def decode(graph, config, stop_ids, banned_ids, params, cache, tokens_B, remaining_B, words, turns):
    """Up to ``chunk_steps`` tokens for each row with ``remaining_B > 0``.

    Returns the cache and one (2, B, chunk_steps) int32 array: token ids, -1 where there is none,
    and the bits of their float32 logprobs.
    """
    model = nnx.merge(graph, params)
    rngs_B = turn_keys(config.seed, words, turns)
    shape = (tokens_B.shape[0], config.chunk_steps)

    def body(carry):
        index, cache, tokens_B, remaining_B, ids, logprobs = carry
        active = remaining_B > 0
        hidden_B1D, cache = model.extend(tokens_B[:, None], cache, active.astype(jnp.int32))
        logits_BV = model.logits(hidden_B1D[:, 0])
        sampled, logprob = sample(logits_BV, rngs_B, cache.lengths, config, banned_ids)
        stopped = jnp.isin(sampled, jnp.asarray(stop_ids, jnp.int32))
        ids = ids.at[:, index].set(jnp.where(active, sampled, -1))
        logprobs = logprobs.at[:, index].set(logprob)
        remaining_B = jnp.where(stopped | ~active, 0, remaining_B - 1)
        return index + 1, cache, sampled, remaining_B, ids, logprobs

    def more(carry):
        return (carry[0] < config.chunk_steps) & jnp.any(carry[3] > 0)

    start = (0, cache, tokens_B, remaining_B, jnp.full(shape, -1, jnp.int32), jnp.zeros(shape))
    _, cache, _, _, ids, logprobs = jax.lax.while_loop(more, body, start)
    return cache, jnp.stack([ids, jax.lax.bitcast_convert_type(logprobs, jnp.int32)])
