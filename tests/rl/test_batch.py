"""Rollouts into rows and back: each number stands at the position that predicts its token."""

import numpy as np
import pytest

from medr_jax.rl import batch
from medr_jax.rl.config import Overlong, RLConfig
from medr_jax.types import Status

CONFIG = RLConfig(row_length=16, micro_rows=2)


def numbered(lab, number, **changes):
    """Token k of rollout n has the old log-probability -(10 n + k)."""
    values = -(10.0 * number + np.arange(6)).astype(np.float32)
    return lab.rollout(number=number, old_logprobs=values, advantage=float(number), **changes)


def test_what_belongs_to_a_token_stands_where_it_is_predicted(lab):
    made = batch.training_batch([numbered(lab, n) for n in (1, 2, 3)], CONFIG)
    assert made["token_ids"].shape == (4, 16)  # three rows, if each filled one, in pairs
    mask = made["loss_mask"] > 0
    # Tokens 1, 2, 4, 5 are sampled, so positions 0, 1, 3, 4 predict them.
    assert np.flatnonzero(mask[0]).tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    assert made["old_logprobs"][0, [0, 1, 3, 4]].tolist() == [-11, -12, -14, -15]
    assert made["old_logprobs"][0, [6, 7]].tolist() == [-21, -22]
    assert made["advantages"][mask].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert np.all(made["sampler_logprobs"][mask] == -0.5)
    assert np.all(made["segment_ids"][1, 6:] == 0) and not made["segment_ids"][2:].any()
    assert {name: array.dtype for name, array in made.items()} == batch.BATCH_DTYPES


def test_what_is_collected_is_what_was_spread(lab):
    rollouts = [numbered(lab, n) for n in (1, 2, 3)]
    packed = batch.pack(rollouts, CONFIG, 3)
    spread = packed.spread(lambda rollout: rollout.old_logprobs, np.float32)
    for rollout, back in zip(rollouts, packed.collect(spread), strict=True):
        assert np.isnan(back[0]) and np.array_equal(back[1:], rollout.old_logprobs[1:])


def test_what_our_side_failed_is_not_trained_on(lab):
    failed = numbered(lab, 2, status=Status.INFRA_ERROR)
    made = batch.training_batch([numbered(lab, 1), failed], CONFIG)
    assert set(made["token_ids"][made["segment_ids"] > 0]) == set(numbered(lab, 1).token_ids)


def test_truncated_rollouts_and_dead_groups_leave_when_asked(lab):
    cut = numbered(lab, 1, status=Status.TRUNCATED)
    dead = numbered(lab, 2, informative=False)
    zero = lab.rollout(number=3, advantage=0.0)  # at its group's mean, which is no dead group

    def kept(**changes):
        config = RLConfig(row_length=16, micro_rows=2, **changes)
        return [batch.in_loss(rollout, config) for rollout in (cut, dead, zero)]

    assert kept() == [True, True, True]
    assert kept(overlong=Overlong.filter) == [False, True, True]
    assert kept(drop_dead_groups=True) == [True, False, True]


def test_a_batch_of_failures_trains_on_nothing(lab):
    failed = lab.rollout(status=Status.INFRA_ERROR, old_logprobs=None, ref_logprobs=None)
    made = batch.training_batch([failed], CONFIG)
    assert made["loss_mask"].sum() == 0


def test_one_size_however_many_rollouts_there_are(lab):
    sizes = {
        batch.pack([numbered(lab, n) for n in range(count)], CONFIG, 63).num_rows
        for count in range(1, 64)
    }
    assert sizes == {64}  # 63 rows if each rollout filled one, in pairs


def test_padding_of_what_is_computed(lab):
    packed = batch.pack([numbered(lab, n) for n in range(3)], CONFIG, 64)
    # Three rollouts of six tokens in one pair of rows of 16; not in all 64 rows.
    assert batch.padding_share(packed, CONFIG) == pytest.approx(1 - 18 / 32)


def test_a_rollout_longer_than_a_row_is_an_error(lab):
    with pytest.raises(ValueError, match="data.row_length|rl.row_length"):
        batch.pack([lab.rollout()], RLConfig(row_length=5), 1)
