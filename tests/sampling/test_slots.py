"""Bookkeeping of slots: balance between parts, kept prompts, who moves where."""

import pytest

from medr_jax.sampling.slots import Slots

A, B = (1, 2), (3,)


def test_parts_fill_evenly_from_their_lowest_slot():
    slots = Slots(num_parts=2, per_part=2)
    assert [slots.take() for _ in range(4)] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    slots.release(1, 0)
    assert slots.num_free == 1
    assert slots.take() == (1, 0)


def test_a_prompt_is_kept_in_its_part_until_it_is_overwritten():
    slots = Slots(num_parts=2, per_part=3)
    slots.keep(0, 2, A)
    slots.keep(0, 1, A)
    assert slots.holder(0, A) == 1
    assert slots.holder(1, A) is None  # another device's
    slots.overwrite(0, 1)
    assert slots.holder(0, A) == 2
    slots.keep(0, 2, B)
    assert slots.holder(0, A) is None
    assert slots.holder(0, B) == 2
    slots.forget_prompts()
    assert slots.holder(0, B) is None


def test_rows_outside_take_empty_seats_first_and_then_those_of_rows_that_wait():
    slots = Slots(num_parts=1, per_part=5)
    for _ in range(5):
        slots.take()
    slots.release(0, 1)
    slots.keep(0, 0, A)
    slots.keep(0, 3, B)
    # 3 and 4 sample; 1 is empty; 0 and 2 wait. Of the first two slots, 1 goes first.
    assert slots.seat(0, [3, 4], size=2) == [(3, 1), (4, 0)]
    assert slots.holder(0, B) == 1
    assert slots.holder(0, A) == 4  # went with the row that waits
    assert slots.take() == (0, 3)  # the empty slot is where row 3 came from


@pytest.mark.parametrize("taken", [[0, 1], [1], []])
def test_nobody_moves_who_sits_well(taken):
    assert Slots(num_parts=1, per_part=4).seat(0, taken, size=2) == []
