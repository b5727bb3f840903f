"""Advantages against values computed by hand; what failed on our side is nowhere in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medr_jax.rl import advantages

REWARDS = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
ALL = np.ones((2, 4), bool)


def test_grpo_divides_by_the_population_deviation():
    # Second group: mean 1/4, std sqrt(3)/4 -> (-1/sqrt(3), sqrt(3)).
    # With ddof=1 std is 1/2 -> (-0.5, 1.5); over the whole batch the mean would be 3/8.
    found = advantages.grpo(REWARDS, ALL, eps=0.0)
    assert found[0] == pytest.approx([1, -1, -1, 1])
    assert found[1] == pytest.approx([-(3**-0.5), -(3**-0.5), 3**0.5, -(3**-0.5)])
    assert advantages.grpo(REWARDS, ALL, eps=0.0, ddof=1)[1] == pytest.approx(
        [-0.5, -0.5, 1.5, -0.5]
    )


def test_dr_grpo_does_not_scale_and_rloo_leaves_the_rollout_out():
    assert advantages.dr_grpo(REWARDS, ALL)[1] == pytest.approx([-0.25, -0.25, 0.75, -0.25])
    # The others' mean is 1/3 for a wrong one and 0 for the right one.
    assert advantages.rloo(REWARDS, ALL)[1] == pytest.approx([-1 / 3, -1 / 3, 1.0, -1 / 3])


@pytest.mark.parametrize("function", advantages.FUNCTIONS.values())
def test_what_failed_on_our_side_is_in_no_baseline(function):
    rewards = np.array([[1.0, 0.0, np.nan, 0.0]])
    valid = np.array([[True, True, False, True]])
    found = function(rewards, valid)
    # As if the group had three members. Scored as 0 it would lower the mean from 1/3 to 1/4.
    alone = function(np.array([[1.0, 0.0, 0.0]]), np.ones((1, 3), bool))
    assert found[0, 2] == 0.0
    assert found[0, [0, 1, 3]] == pytest.approx(alone[0])


@pytest.mark.parametrize("function", advantages.FUNCTIONS.values())
@pytest.mark.parametrize(
    ("rewards", "valid"),
    [
        ([0.1, 0.1, 0.1, 0.1], [True] * 4),  # 0.1 + 0.1 + 0.1 is not 0.3: std is not quite 0
        ([1.0, 0.0, 0.0, 0.0], [True, False, False, False]),  # compared with nothing
        ([1.0, 0.0, 0.0, 0.0], [False] * 4),
    ],
)
def test_a_group_that_tells_nothing_has_no_advantage(function, rewards, valid):
    rewards, valid = np.array([rewards]), np.array([valid])
    assert not advantages.informative(rewards, valid)[0]
    assert np.all(function(rewards, valid) == 0.0)


@given(st.lists(st.sampled_from([0.0, 0.3, 1.0, 1.2]), min_size=2, max_size=8), st.randoms())
def test_order_within_a_group_changes_nothing(rewards, random):
    order = list(range(len(rewards)))
    random.shuffle(order)
    rewards = np.array([rewards])
    valid = np.ones(rewards.shape, bool)
    for function in advantages.FUNCTIONS.values():
        straight = function(rewards, valid)
        assert function(rewards[:, order], valid)[0] == pytest.approx(straight[0, order])
        assert np.sum(straight) == pytest.approx(0.0, abs=1e-9)


def test_groups_are_told_by_id_and_not_by_text():
    rollouts = [("a", "which gene ?"), ("b", "which gene ?"), ("a", "x"), ("b", "y")]
    groups = advantages.group_by_id(rollouts, lambda rollout: rollout[0], 2)
    assert groups == [[rollouts[0], rollouts[2]], [rollouts[1], rollouts[3]]]
    with pytest.raises(ValueError, match="group 'which gene .' has 2 rollouts, not group_size=4"):
        advantages.group_by_id(rollouts, lambda rollout: rollout[1], 4)
