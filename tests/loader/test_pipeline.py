"""The loader: epochs, exact resume, processes, loss weights, held-out batches."""

import numpy as np
import pytest

from medr_jax.data import packing
from medr_jax.loader.pipeline import DataConfig, Loader, MixedDataset, evaluation_batches
from medr_jax.loader.relabel import Relabeller
from medr_jax.testing.tokens import byte_tokenizer
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import Role, get_protocol

NUM_ROWS = 7
TOKENIZER = byte_tokenizer()


@pytest.fixture(scope="module")
def packed():
    """Row r holds one trajectory whose every token is 10 + r; 2 context tokens, 2 of the model."""
    ledgers = []
    for number in range(NUM_ROWS):
        ledger = Ledger(TOKENIZER, get_protocol("compact"))
        ledger.append_encoded_context([10 + number] * 2, [Role.USER] * 2)
        ledger.append_completion([10 + number] * 2)
        ledgers.append(ledger)
    return packing.pack(ledgers, 5)


def rows_of(batch) -> list[int]:
    return (batch["token_ids"][:, 0] - 10).tolist()


def stream(loader, count: int) -> list[int]:
    return [row for _ in range(count) for row in rows_of(loader.next_batch())]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_every_epoch_holds_every_row_once_in_an_order_of_its_own(packed, prefetch):
    loader = Loader(packed, DataConfig(prefetch=prefetch), batch_rows=3, seed=1)
    rows = stream(loader, 7)  # 21 rows = 3 epochs; batches of 3 straddle the boundaries
    epochs = [tuple(rows[i : i + NUM_ROWS]) for i in range(0, 21, NUM_ROWS)]
    assert all(sorted(epoch) == list(range(NUM_ROWS)) for epoch in epochs)
    assert len(set(epochs)) == 3
    again = stream(Loader(packed, DataConfig(), batch_rows=3, seed=1), 7)
    other = stream(Loader(packed, DataConfig(), batch_rows=3, seed=2), 7)
    assert again == rows and other != rows


def test_without_shuffling_rows_come_in_order(packed):
    loader = Loader(packed, DataConfig(shuffle=False), batch_rows=2, seed=1)
    assert stream(loader, 4) == [0, 1, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize("done", range(8))
def test_resuming_after_any_batch_goes_on_with_the_next(packed, done):
    # With 7 rows in batches of 3 the epoch ends within batches 3 and 5, and after batch 7.
    relabeller = Relabeller(np.arange(10, 30), 300, 1.0)
    config = DataConfig(permute_content=1.0)

    def loader():
        return Loader(packed, config, batch_rows=3, seed=5, relabeller=relabeller)

    first = loader()
    for _ in range(done):
        first.next_batch()
    resumed = loader()
    resumed.set_state(first.get_state())
    for _ in range(4):
        expected, found = first.next_batch(), resumed.next_batch()
        for name in expected:
            np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


def test_processes_share_the_batches_of_a_single_process(packed):
    whole = Loader(packed, DataConfig(), batch_rows=4, seed=3)
    parts = [
        Loader(packed, DataConfig(), batch_rows=4, seed=3, process_index=i, process_count=2)
        for i in range(2)
    ]
    for _ in range(9):
        expected = rows_of(whole.next_batch())
        # Row j of the batch belongs to process j mod 2. Shards of the *dataset* would drift
        # apart after the first epoch, 7 rows being odd.
        assert [rows_of(part.next_batch()) for part in parts] == [expected[0::2], expected[1::2]]


def test_a_batch_that_processes_cannot_share_is_refused(packed):
    with pytest.raises(ValueError, match=r"batch_rows=3: must be a multiple of the 2 processes"):
        Loader(packed, DataConfig(), batch_rows=3, seed=0, process_count=2)


def test_context_has_its_weight_where_something_follows_and_nothing_else(packed):
    config = DataConfig(context_weight=0.25)
    batch = Loader(packed, config, batch_rows=1, seed=0).next_batch()
    # Targets: one context token, two model tokens; the last token and padding predict nothing.
    np.testing.assert_array_equal(batch["loss_weights"], np.float32([[0.25, 1, 1, 0, 0]]))
    np.testing.assert_array_equal(batch["loss_mask"], [[0, 1, 1, 0, 0]])
    assert batch["loss_weights"].dtype == np.float32
    plain = Loader(packed, DataConfig(), batch_rows=1, seed=0).next_batch()
    np.testing.assert_array_equal(plain["loss_weights"], np.float32([[0, 1, 1, 0, 0]]))


def test_held_out_batches_hold_each_row_once_in_one_shape(packed):
    batches = list(evaluation_batches(packed, DataConfig(), batch_rows=3))
    assert [batch["token_ids"].shape for batch in batches] == [(3, 5)] * 3
    real = [batch["segment_ids"][:, 0] > 0 for batch in batches]
    rows = [r for batch, keep in zip(batches, real, strict=True)
            for r in (batch["token_ids"][keep, 0] - 10)]  # fmt: skip
    assert rows == list(range(NUM_ROWS))
    assert batches[-1]["loss_weights"][1:].sum() == 0, "filling rows are not in the loss"
    few = list(evaluation_batches(packed, DataConfig(), batch_rows=2, max_rows=3))
    assert [r - 10 for b in few for r in b["token_ids"][b["segment_ids"][:, 0] > 0, 0]] == [0, 2, 4]


@pytest.mark.parametrize(
    ("field", "value"),
    [("row_length", 1), ("context_weight", 1.5), ("permute_content", -0.1), ("prefetch", -1)],
)
def test_wrong_settings_are_named(field, value):
    with pytest.raises(ValueError, match=f"data.{field}={value}"):
        DataConfig(**{field: value})


def other_rows(first: int, count: int):
    """Rows of another dataset, whose tokens start at ``first``."""
    ledgers = []
    for number in range(count):
        ledger = Ledger(TOKENIZER, get_protocol("compact"))
        ledger.append_encoded_context([first + number] * 2, [Role.USER] * 2)
        ledger.append_completion([first + number] * 2)
        ledgers.append(ledger)
    return packing.pack(ledgers, 5)


def test_datasets_are_mixed_by_share_each_in_epochs_of_its_own(packed):
    mix = [MixedDataset(path="b", share=0.25), MixedDataset(path="c", share=0.25)]
    config = DataConfig(mix=mix)
    others = [other_rows(110, 3), other_rows(210, 40)]

    def loader(**processes):
        return Loader(packed, config, batch_rows=4, seed=1, mixed=others, **processes)

    rows = np.array(stream(loader(), 56))  # 224 rows
    counts = [int(((low <= rows) & (rows < low + 100)).sum()) for low in (0, 100, 200)]
    # By size, 7 : 3 : 40 rows, they would be about 31, 13 and 179.
    np.testing.assert_allclose(counts, [112, 56, 56], atol=1)
    own = rows[rows < 100]
    assert sorted(own[:NUM_ROWS]) == list(range(NUM_ROWS)), "an epoch has every row once"
    small = rows[(rows >= 100) & (rows < 200)]
    assert sorted(small[:3]) == sorted(small[3:6]) == [100, 101, 102]
    # Any prefix is mixed: the share holds from the first batches on.
    assert abs((rows[:40] >= 100).mean() - 0.5) < 0.06
    # The stream is the same for two processes, and goes on where it stopped.
    halves = [loader(process_index=i, process_count=2) for i in range(2)]
    parts = [stream(half, 4) for half in halves]
    assert sorted(parts[0] + parts[1]) == sorted(rows[:16].tolist())
    first = loader()
    stream(first, 5)
    second = loader()
    second.set_state(first.get_state())
    assert stream(second, 3) == stream(first, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixedDataset(path="", share=0.5), "name a dataset's folder"),
        (lambda: MixedDataset(path="a", share=1.0), "share=1.0"),
        (
            lambda: DataConfig(mix=[MixedDataset(path=p, share=0.5) for p in "ab"]),
            "leave nothing for the run's own",
        ),
    ],
)
def test_wrong_mixtures_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
