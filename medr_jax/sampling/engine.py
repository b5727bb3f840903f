"""Slots that rollouts live in: open, extend with new tokens, step, read the result, close.

A rollout keeps its keys and values between turns, so its history is computed once, and takes
those of its prompt from another rollout that has the same. All running rollouts decode together,
several tokens per dispatch, whatever turn each is at.

A rollout that waits for a tool stays where it is until one that samples needs its place among
the first ``decode_rows`` slots; then the two change places.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax.agent.loop import Sampled
from medr_jax.models.transformer import Transformer
from medr_jax.sampling.config import EngineConfig
from medr_jax.sampling.device import Device
from medr_jax.sampling.logits import rollout_words
from medr_jax.sampling.rows import EngineStats, Row, by_part, most_in_a_part
from medr_jax.sampling.slots import Prompt, Slots
from medr_jax.types import Status

__all__ = ["Engine", "EngineConfig", "EngineStats"]


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
        self.stop_ids = tuple(sorted(set(stop_ids)))
        self.banned_ids = tuple(sorted({pad_id, *banned_ids}))
        if overlap := set(self.stop_ids) & set(self.banned_ids):
            raise ValueError(f"stop_ids and banned ids share {sorted(overlap)}; nothing would stop")
        self.policy_version = policy_version
        self.stats = EngineStats()
        self.device = Device(model, config, mesh, self.stop_ids, self.banned_ids)
        self._pad_id = pad_id
        self._vocab_size = model.config.vocab_size
        self._rows: dict[int, Row] = {}
        self._next_handle = 0
        self._sizes = self.device.sizes
        self._slots = Slots(self._sizes.parts, self._sizes.slots)

    @property
    def num_slots(self) -> int:
        """Rollouts that can be open at once in this process."""
        return self._sizes.parts * self._sizes.slots

    @property
    def params(self) -> nnx.State:
        """The weights that sample, as they lie for that."""
        return self.device.params

    @property
    def num_free(self) -> int:
        """Slots that ``open`` can still hand out."""
        return self._slots.num_free

    def open(self, rollout_id: int | str) -> int:
        """A handle on an empty slot. The id keys the rollout's sampling noise.

        Raises:
            ValueError: no slot is free.
        """
        if not self.num_free:
            raise ValueError(f"all {self.num_slots} slots are open; close one or raise num_slots")
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        part, slot = self._slots.take()
        self._rows[handle] = Row(part=part, slot=slot, words=rollout_words(rollout_id))
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
        if not row.num_cached and self._sizes.shares:
            row.prompt = tuple(row.unfed[:-1])
        room = self.config.max_length - row.num_cached - len(row.unfed)
        row.token_ids, row.logprobs, row.result, row.turn = [], [], None, turn
        if room < 1:
            row.result = Sampled((), (), Status.TRUNCATED, self.policy_version)
            return
        row.remaining = min(max_tokens, room)
        row.running = True

    def step(self) -> bool:
        """Feeds pending context, then decodes one chunk. False when nothing is running.

        Of several processes all call it, also those that have nothing running; ``largest`` is
        how they agree on that.
        """
        running = [row for row in self._rows.values() if row.running]
        fresh = [row for row in running if row.fresh]
        most_running, most_fresh = self.device.largest(len(running), len(fresh))
        if not most_running:
            return False
        if most_fresh:
            self._clear(fresh)
        self._feed(running)
        self._decode_chunk(running)
        return any(row.running for row in running)

    def largest(self, number: int) -> int:
        """The largest of what all processes say; each must say something."""
        return self.device.largest(number)[0]

    def result(self, handle: int) -> Sampled | None:
        """The completion of the last extension, or None while it runs."""
        return self._rows[handle].result

    def close(self, handle: int) -> None:
        """Frees the slot, running or not."""
        row = self._rows.pop(handle)
        self._slots.release(row.part, row.slot)

    def set_params(self, params: nnx.State, version: int) -> None:
        """New weights, as ``nnx.split(model)[1]``; refused while rollouts are open.

        Their cached keys and values belong to the old weights, and so do kept prompts.
        """
        if self._rows:
            raise ValueError(
                f"{len(self._rows)} rollouts are open on policy version {self.policy_version}; "
                "close them before new parameters come in"
            )
        self._slots.forget_prompts()
        self.device.set_params(params)
        self.policy_version = version

    def release_params(self) -> None:
        """Makes room for other work: where sampling has a copy of the weights, it is freed.

        Before anything else is sampled, ``set_params`` must give new ones.
        """
        self.device.set_params(None)

    def _clear(self, fresh: Sequence[Row]) -> None:
        self._do(self.device.clear, [(row.part, row.slot) for row in fresh])
        for row in fresh:
            row.fresh = False
            if not row.prompt:  # decoding is the first to write to the slot
                self._slots.overwrite(row.part, row.slot)

    def _feed(self, running: Sequence[Row]) -> None:
        """All of each row's pending tokens but the last; equal prompts once per part."""
        self._share_prompts(running)
        firsts: dict[tuple[int, Prompt], Row] = {}
        pending = [
            row
            for row in running
            if row.num_cached
            or not row.prompt
            or firsts.setdefault((row.part, row.prompt), row) is row
        ]
        rounds = 0
        while True:
            pending = [row for row in pending if len(row.unfed) > 1]
            longest = max((len(row.unfed) - 1 for row in pending), default=0)
            ready = by_part(pending)
            counts = [len(ready.get(part, ())) for part in range(self._sizes.parts)]
            longest, *counts = self.device.largest(longest, *counts)
            if not longest:
                break
            self._prefill_some(pending, longest, counts)
            rounds += 1
        if rounds:
            self._share_prompts(running)

    def _share_prompts(self, running: Sequence[Row]) -> None:
        copies = []
        for row in running:
            source = self._slots.holder(row.part, row.prompt)
            if source is not None and not row.num_cached:
                copies.append((row.part, source, row.slot, len(row.prompt)))
                self._slots.keep(row.part, row.slot, row.prompt)
                row.num_cached, row.unfed = len(row.prompt), row.unfed[-1:]
                self.stats.shared += row.num_cached
        if self._sizes.shares and self.largest(len(copies)):
            self._do(self.device.share, copies)

    def _prefill_some(self, pending: Sequence[Row], longest: int, counts: Sequence[int]) -> None:
        """One dispatch for the rows with most to feed; all but their last token.

        ``longest`` pending tokens of a row and rows of each part, over all processes.
        """
        sizes = self._sizes
        ordered = sorted(pending, key=lambda row: (-len(row.unfed), row.slot))
        width = sizes.width(longest)
        block = sizes.prefill_rows_for(counts, width)
        in_blocks = sizes.in_blocks and block < sizes.prefill_rows[-1]
        size = sizes.prefill_rows[-1] if in_blocks else block
        rows = sizes.parts * size
        tokens = np.full((rows, width), self._pad_id, np.int32)
        num_new, slots = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        at_prompt = np.zeros(rows, bool)
        in_place = size == sizes.slots and not in_blocks
        for part, mine in by_part(ordered).items():
            for index, row in enumerate(mine[:size]):
                place = part * size + (row.slot if in_place else index)
                count = min(len(row.unfed) - 1, width)
                tokens[place, :count] = row.unfed[:count]
                num_new[place], slots[place] = count, row.slot
                at_prompt[place] = row.num_cached < len(row.prompt)
                row.unfed, row.num_cached = row.unfed[count:], row.num_cached + count
                if row.num_cached == len(row.prompt):
                    self._slots.keep(row.part, row.slot, row.prompt)
                elif at_prompt[place]:
                    self._slots.overwrite(row.part, row.slot)
        self.stats.prefilled += int(num_new.sum())
        fed = np.count_nonzero(num_new.reshape(sizes.parts, size), axis=1).tolist()
        passes = sizes.passes(fed, block) if in_blocks else sizes.parts
        self.stats.prefill_places += passes * block * width
        slots = None if in_place else slots
        self._do(self.device.prefill, tokens, num_new, at_prompt, slots, in_blocks=in_blocks)

    def _decode_chunk(self, running: Sequence[Row]) -> None:
        """The oldest rollouts sample; where there are more than rows, the others wait."""
        ready = by_part(running)
        size = self._sizes.decode_rows_for(self.largest(most_in_a_part(running)))
        chosen = {part: rows[:size] for part, rows in ready.items()}
        if size < self._sizes.slots:
            self._seat(chosen, size)
        count = self._sizes.parts * size
        tokens, remaining = np.full(count, self._pad_id, np.int32), np.zeros(count, np.int32)
        turns, words = np.zeros(count, np.int32), np.zeros((count, 2), np.uint32)
        for part, rows in chosen.items():
            for row in rows:
                place = part * size + row.slot
                tokens[place], remaining[place] = row.unfed[0], row.remaining
                turns[place], words[place] = row.turn, row.words
        chunk = self._do(self.device.decode, tokens, remaining, words, turns)
        ids, logprobs = chunk[0], chunk[1].view(np.float32)
        for part, rows in chosen.items():
            places = [part * size + row.slot for row in rows]
            counts = [int(np.sum(ids[place] >= 0)) for place in places]
            self.stats.sampled += sum(counts)
            self.stats.decode_places += size * max(counts)
            for row, place, n in zip(rows, places, counts, strict=True):
                self._take(row, ids[place, :n].tolist(), logprobs[place, :n].tolist())

    def _seat(self, chosen: dict[int, list[Row]], size: int) -> None:
        """Moves the rows that sample to the first ``size`` slots of their part."""
        at = {(row.part, row.slot): row for row in self._rows.values()}
        swaps = []
        for part, rows in chosen.items():
            for one, other in self._slots.seat(part, [row.slot for row in rows], size):
                at[part, one].slot = other
                if (part, other) in at:
                    at[part, other].slot = one
                swaps.append((part, one, other))
        if self.largest(len(swaps)):
            self.stats.moved += len(swaps)
            self._do(self.device.swap, swaps)

    def _take(self, row: Row, ids: list[int], logprobs: list[float]) -> None:
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

    def _do(self, dispatch: Callable, *arguments: Any, **options: bool) -> Any:
        self.stats.dispatches += 1
        return dispatch(*arguments, **options)
