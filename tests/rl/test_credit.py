"""Credit by hop, by hand: a rollout's advantage goes to the turns where its chances changed."""

import dataclasses

import msgspec
import numpy as np
import pytest

from medr_jax.rl import credit
from medr_jax.rl.advantages import FUNCTIONS
from medr_jax.rl.batch import training_batch
from medr_jax.rl.config import Advantage, Credit, RLConfig
from medr_jax.rl.rollout import dump, read_dump
from medr_jax.rl.source import compare
from medr_jax.rl.trust import TrustError, audit_shaping
from medr_jax.types import Status, Turn


def group(lab, *rollouts):
    """(right, progress after each turn) each; advantages by dr_grpo."""
    made = []
    for number, (right, progress) in enumerate(rollouts):
        rollout = lab.rollout(number=number, terms=lab.terms(right, progress=progress))
        turns = tuple(Turn() for _ in progress)
        trajectory = msgspec.structs.replace(rollout.trajectory, turns=turns)
        made.append(dataclasses.replace(rollout, trajectory=trajectory))
    rewards = np.array([[float(right) for right, _ in rollouts]])
    for rollout, value in zip(made, FUNCTIONS[Advantage.dr_grpo](rewards)[0], strict=True):
        rollout.advantage = float(value)
    return made


FOUR = (
    (True, (1, 2, 2)),  # searches twice, answers
    (True, (1, 2, 2)),
    (False, (1, 1)),  # answers too early
    (False, (1, 2, 2)),  # finds all and answers something else
)


def test_turns_get_what_they_changed(lab):
    found = credit.by_hop(group(lab, *FOUR), 0.0)
    # Advantages 1/2, 1/2, -1/2, -1/2. All four come through (0, 0) and (1, 1), worth 0; three of
    # them through (2, 2), worth (1/2 + 1/2 - 1/2) / 3 = 1/6.
    right = [0.0, 1 / 6, 1 / 2 - 1 / 6]
    expected = [right, right, [0.0, -1 / 2], [0.0, 1 / 6, -1 / 2 - 1 / 6]]
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_turns_add_up_to_the_advantage(lab):
    rng = np.random.default_rng(0)
    shapes = [
        (bool(rng.integers(2)), tuple(np.cumsum(rng.integers(0, 2, size=rng.integers(1, 6)))))
        for _ in range(8)
    ]
    rollouts = group(lab, *[(right, tuple(map(int, steps))) for right, steps in shapes])
    for rollout, parts in zip(rollouts, credit.by_hop(rollouts, 0.0), strict=True):
        assert parts.sum() == pytest.approx(rollout.advantage)


def test_lambda_1_compares_the_whole_rest_with_the_state(lab):
    found = credit.by_hop(group(lab, *FOUR), 1.0)
    np.testing.assert_allclose(found[3], [-1 / 2, -1 / 2, -1 / 2 - 1 / 6], atol=1e-12)
    half = credit.turn_advantages(1.0, [0.0, 0.4], 0.5)
    np.testing.assert_allclose(half, [0.4 + 0.5 * 0.6, 0.6])


def test_the_same_progress_later_is_another_state(lab):
    """A search that found nothing new must not look as good as one that did."""
    first, second, third = credit.by_hop(
        group(lab, (True, (1, 1)), (True, (1, 1)), (False, (0, 1, 1))), 0.0
    )
    assert first[0] > 0 and second[0] > 0 and third[0] < 0


def test_what_our_side_failed_is_in_no_value(lab):
    rollouts = group(lab, *FOUR)
    failed = dataclasses.replace(
        rollouts[0],
        trajectory=msgspec.structs.replace(
            rollouts[0].trajectory, status=Status.INFRA_ERROR, turns=rollouts[0].trajectory.turns
        ),
        advantage=0.0,
    )
    found = credit.by_hop([failed, *rollouts[1:]], 0.0)
    assert not found[0].any()
    # (2, 2) is worth the mean of the two that are left, (1/2 - 1/2) / 2 = 0.
    assert found[1][2] == pytest.approx(1 / 2)


def test_marks_without_progress_are_refused(lab):
    rollouts = group(lab, *FOUR)
    rollouts[1].terms = lab.terms(True)
    with pytest.raises(ValueError, match=r"rollout 000000.0.0/1: rl.credit=hop needs marks"):
        credit.by_hop(rollouts, 0.0)


CONFIG = RLConfig(
    num_prompts=1, group_size=2, row_length=16, micro_rows=2, credit=Credit.hop,
    advantage=Advantage.dr_grpo,
)  # fmt: skip


def pair(lab, rights=(True, False)):
    """Both found one entity with their first turn; the lab's rollouts have two."""
    return [
        lab.rollout(number=n, terms=lab.terms(right, expert=0, efficiency=0, progress=(n, 1)))
        for n, right in enumerate(rights)
    ]


def test_each_token_gets_its_turns_advantage(lab, tmp_path):
    rollouts = pair(lab)
    compare([rollouts], CONFIG)
    made = training_batch(rollouts, CONFIG)
    mask = made["loss_mask"] > 0
    # By turns: the first found nothing and was right, the second the other way round. Their states
    # differ after turn 0, so all is decided there.
    assert made["advantages"][mask].tolist() == [0.5, 0.5, 0.0, 0.0, -0.5, -0.5, 0.0, 0.0]
    dump(tmp_path / "open.jsonl", rollouts)
    again = training_batch(list(read_dump(tmp_path / "open.jsonl")), CONFIG)
    np.testing.assert_array_equal(again["advantages"], made["advantages"])


def test_a_turn_with_an_advantage_in_an_all_wrong_group_is_caught(lab):
    rollouts = pair(lab, (False, False))
    compare([rollouts], CONFIG)
    audit_shaping(rollouts)
    rollouts[0].turn_advantages = np.array([0.1, -0.1])  # adds up to 0
    with pytest.raises(TrustError, match="got past the outcome gate"):
        audit_shaping(rollouts)


def test_a_dump_of_another_credit_is_compared_anew(lab):
    rollouts = pair(lab)
    compare([rollouts], CONFIG)
    assert rollouts[0].turn_advantages is not None
    compare([rollouts], dataclasses.replace(CONFIG, credit=Credit.rollout))
    made = training_batch(rollouts, CONFIG)
    assert made["advantages"][made["loss_mask"] > 0].tolist() == [0.5] * 4 + [-0.5] * 4


@pytest.mark.parametrize("status", [Status.TRUNCATED, Status.INFRA_ERROR])
def test_rollouts_that_ended_before_their_first_turn(lab, status):
    """Cut off, or failed on our side while the ledger was ahead of the turns."""
    first, second = pair(lab, (False, False))  # so that the audit looks at both
    trajectory = msgspec.structs.replace(second.trajectory, turns=(), status=status)
    second = dataclasses.replace(second, trajectory=trajectory, terms=lab.terms(False))
    if status is Status.TRUNCATED:
        second.loss_mask = np.zeros_like(second.loss_mask)
    compare([[first, second]], CONFIG)
    audit_shaping([first, second])
    made = training_batch([first, second], CONFIG)
    assert np.all(np.isfinite(made["advantages"]))
