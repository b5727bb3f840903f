"""Which slots are free, and which prompts' keys and values lie in which; host bookkeeping only.

Slots come in parts, numbered within each (``sampling.programs``). Rows do not leave their part.
"""

from collections.abc import Sequence

Prompt = tuple[int, ...]
"""Token ids of a first context, less its last, which decoding feeds."""


class Slots:
    """Free slots, and kept prompts: a slot holds one until another row's tokens overwrite it."""

    def __init__(self, num_parts: int, per_part: int):
        self.num_parts = num_parts
        self.per_part = per_part
        self._free = [set(range(per_part)) for _ in range(num_parts)]
        self._prompt_in: list[dict[int, Prompt]] = [{} for _ in range(num_parts)]
        self._slots_with: list[dict[Prompt, set[int]]] = [{} for _ in range(num_parts)]

    @property
    def num_free(self) -> int:
        """Slots that ``take`` can still give."""
        return sum(map(len, self._free))

    def take(self) -> tuple[int, int]:
        """(part, slot): the lowest free slot of the part with most of them."""
        part = max(range(self.num_parts), key=lambda part: len(self._free[part]))
        slot = min(self._free[part])
        self._free[part].remove(slot)
        return part, slot

    def release(self, part: int, slot: int) -> None:
        """Gives a slot back. Its prompt stays until someone writes to the slot."""
        self._free[part].add(slot)

    def keep(self, part: int, slot: int, prompt: Prompt) -> None:
        """Notes that the slot begins with the prompt."""
        self.overwrite(part, slot)
        if prompt:
            self._prompt_in[part][slot] = prompt
            self._slots_with[part].setdefault(prompt, set()).add(slot)

    def overwrite(self, part: int, slot: int) -> None:
        """Notes that the slot no longer begins with a known prompt."""
        prompt = self._prompt_in[part].pop(slot, None)
        if prompt is not None:
            holders = self._slots_with[part][prompt]
            holders.discard(slot)
            if not holders:
                del self._slots_with[part][prompt]

    def holder(self, part: int, prompt: Prompt) -> int | None:
        """A slot that begins with the prompt."""
        return min(self._slots_with[part].get(prompt, ()), default=None)

    def forget_prompts(self) -> None:
        """For new weights: what is kept belongs to the old ones."""
        for part in range(self.num_parts):
            self._prompt_in[part].clear()
            self._slots_with[part].clear()

    def seat(self, part: int, taken: Sequence[int], size: int) -> list[tuple[int, int]]:
        """Swaps after which the rows in slots ``taken`` are all in the first ``size`` slots.

        Empty slots are filled before those of rows that wait. Free slots and kept prompts are
        exchanged here; the rows are the caller's.
        """
        outside = [slot for slot in taken if slot >= size]
        seats = set(range(size)).difference(taken)
        free = self._free[part]
        inside = sorted(seats, key=lambda slot: (slot not in free, slot))
        swaps = list(zip(outside, inside, strict=False))
        for one, other in swaps:
            self._exchange(part, one, other)
        return swaps

    def _exchange(self, part: int, one: int, other: int) -> None:
        free = self._free[part]
        if other in free:
            free.remove(other)
            free.add(one)
        prompts = [self._prompt_in[part].get(slot, ()) for slot in (one, other)]
        self.keep(part, one, prompts[1])
        self.keep(part, other, prompts[0])
