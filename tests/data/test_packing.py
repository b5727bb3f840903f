"""Packing: what a training step reads, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.data import packing
from medr_jax.testing.tokens import byte_tokenizer
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import Role, get_protocol

TOKENIZER = byte_tokenizer()
PROTOCOL = get_protocol("compact")


def ledger(context: list[int], completion: list[int]) -> Ledger:
    made = Ledger(TOKENIZER, PROTOCOL)
    made.append_encoded_context(context, [Role.USER] * len(context))
    made.append_completion(completion)
    return made


def test_rows_by_hand():
    # Lengths 3, 4, 2 in rows of 6: the third goes back to the first row, which has room.
    packed = packing.pack(
        [ledger([11, 12], [13]), ledger([21], [22, 23, 24]), ledger([31], [32])], 6
    )
    np.testing.assert_array_equal(
        packed.token_ids, [[11, 12, 13, 31, 32, 0], [21, 22, 23, 24, 0, 0]]
    )
    np.testing.assert_array_equal(packed.segment_ids, [[1, 1, 1, 2, 2, 0], [1, 1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(packed.positions, [[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 0, 0]])
    # A trajectory's last token predicts nothing: not the next trajectory's first (31).
    np.testing.assert_array_equal(packed.target_ids, [[12, 13, 0, 32, 0, 0], [22, 23, 24, 0, 0, 0]])
    # Token 13 is trained on, so position 1, which predicts it, is in the loss. A mask that was
    # not shifted would be [0, 0, 1, 0, 1, 0].
    np.testing.assert_array_equal(packed.loss_mask, [[0, 1, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0]])
    user, thought = int(Role.USER), int(Role.THOUGHT)
    np.testing.assert_array_equal(
        packed.target_roles, [[user, thought, 0, thought, 0, 0], [thought] * 3 + [0] * 3]
    )
    np.testing.assert_array_equal(packed.trajectory_rows, [0, 1, 0])
    np.testing.assert_array_equal(packed.trajectory_offsets, [0, 0, 3])
    assert packed.counts == {
        "trajectories": 3,
        "dropped_too_long": 0,
        "cut_too_long": 0,
        "cut_tokens": 0,
        "rows": 2,
        "tokens": 9,
        "trained_tokens": 5,
        "padding_share": 0.25,
    }


def test_the_end_of_turn_is_trained_on_and_a_context_token_never():
    end = TOKENIZER.control("<|end|>")
    packed = packing.pack([ledger([65, 66], [67, end])], 8)
    trained = packed.target_ids[packed.loss_mask > 0].tolist()
    assert trained == [67, end]


def test_a_trajectory_that_does_not_fit_is_dropped_whole_and_counted():
    packed = packing.pack([ledger([1] * 5, [2] * 5), ledger([3, 4], [5])], 6)
    assert packed.counts["dropped_too_long"] == 1
    assert packed.trajectory_rows.tolist() == [-1, 0]
    assert packed.num_tokens == 3


def research() -> Ledger:
    """Question 4 tokens, turn 3, observation 5, turn 3, observation 4, turn 2: 21 in all."""
    made = Ledger(TOKENIZER, PROTOCOL)
    for context, completion in ((4, 3), (5, 3), (4, 2)):
        role = Role.TOOL if made.num_turns else Role.USER
        made.append_encoded_context([1] * context, [role] * context)
        made.append_completion([2] * completion)
    return made


@pytest.mark.parametrize(
    ("row_length", "kept"),
    [(21, 21), (20, 15), (15, 15), (14, 7), (12, 7), (7, 7)],
)
def test_cutting_leaves_whole_turns_and_no_observation_after_them(row_length, kept):
    packed = packing.pack([research()], row_length, packing.TooLong.cut)
    assert packed.num_tokens == kept
    # Row 14 has room for two tokens of the second turn, row 12 for the whole observation before
    # it; neither may stay without what follows.
    assert packed.token_ids[0, :kept][-1] == 2
    assert packed.counts["cut_too_long"] == int(kept < 21)
    assert packed.counts["cut_tokens"] == 21 - kept
    assert packed.counts["dropped_too_long"] == 0


def test_what_cannot_be_cut_to_fit_is_dropped():
    short = ledger([3, 4], [5])
    packed = packing.pack([research(), short], 6, packing.TooLong.cut)
    assert packed.counts["dropped_too_long"] == 1 and packed.counts["cut_too_long"] == 0
    assert packed.num_tokens == 3


def test_a_cut_trajectory_is_trained_as_its_beginning_was():
    whole = packing.pack([research()], 21)
    cut = packing.pack([research()], 18, packing.TooLong.cut)
    for name in ("token_ids", "positions", "segment_ids"):
        np.testing.assert_array_equal(getattr(cut, name)[0, :15], getattr(whole, name)[0, :15])
    np.testing.assert_array_equal(cut.loss_mask[0, :14], whole.loss_mask[0, :14])
    assert cut.loss_mask[0, 14:].sum() == 0, "the last token kept predicts nothing"


def test_nothing_that_fits_says_what_to_raise():
    with pytest.raises(ValueError, match=r"none of 1 trajectories fits \(shortest 4.*row_length"):
        packing.pack([ledger([1, 2], [3, 4])], 3)


def test_a_row_has_room_for_a_token_and_its_target():
    with pytest.raises(ValueError, match="row_length=1: a row holds at least 2 tokens"):
        packing.pack([ledger([1], [2])], 1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(2, 12))
def test_first_fit_is_the_first_row_with_room(lengths, row_length):
    rows, offsets, places = packing.first_fit(np.array(lengths), row_length)
    filled: list[list[int]] = []
    for length, row, offset, place in zip(lengths, rows, offsets, places, strict=True):
        if length > row_length:
            assert row == -1
            continue
        expected = next(
            (i for i, r in enumerate(filled) if sum(r) + length <= row_length), len(filled)
        )
        if expected == len(filled):
            filled.append([])
        assert (row, offset, place) == (
            expected,
            sum(filled[expected]),
            len(filled[expected]) + 1,
        )
        filled[expected].append(length)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2, 20), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_every_trajectory_is_found_whole_where_it_was_placed(lengths, random):
    parts = [
        SimpleNamespace(
            token_ids=np.array([random.randrange(1, 99) for _ in range(n)], np.int32),
            roles=np.array([random.randrange(1, 10) for _ in range(n)], np.int8),
            loss_mask=np.array([random.random() < 0.5 for _ in range(n)]),
        )
        for n in lengths
    ]
    packed = packing.pack(iter(parts), 20)
    for part, row, offset in zip(
        parts, packed.trajectory_rows, packed.trajectory_offsets, strict=True
    ):
        here = (row, slice(offset, offset + len(part.token_ids)))
        np.testing.assert_array_equal(packed.token_ids[here], part.token_ids)
        np.testing.assert_array_equal(packed.target_ids[here][:-1], part.token_ids[1:])
        np.testing.assert_array_equal(packed.loss_mask[here][:-1], part.loss_mask[1:])
        np.testing.assert_array_equal(packed.target_roles[here][:-1], part.roles[1:])
        assert packed.loss_mask[here][-1] == 0 and packed.target_roles[here][-1] == 0
        assert len(set(packed.segment_ids[here])) == 1
    assert packed.loss_mask[packed.segment_ids == 0].sum() == 0
    assert packed.num_tokens == sum(lengths)


def test_the_cache_is_used_and_a_damaged_one_is_made_again(tmp_path, capsys):
    calls = []

    def ledgers():
        calls.append(1)
        return [ledger([1, 2], [3])]

    def get(row_length=4):
        return packing.cached(tmp_path, {"dataset": "d"}, row_length, ledgers)

    first, second = get(), get()
    assert len(calls) == 1
    np.testing.assert_array_equal(first.token_ids, second.token_ids)
    get(row_length=5)
    assert len(calls) == 2, "another row length is another cache entry"
    for file in tmp_path.rglob("loss_mask.npy"):
        file.write_bytes(file.read_bytes()[:-2])
    third = get()
    assert len(calls) == 3
    np.testing.assert_array_equal(first.loss_mask, third.loss_mask)
    assert "damaged cache" in " ".join(capsys.readouterr().err.split())
