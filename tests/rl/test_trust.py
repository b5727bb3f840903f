"""The report's numbers by hand, and every gate that stops a broken run."""

import numpy as np
import pytest

from medr_jax.rl import trust
from medr_jax.rl.trust import TrustConfig, TrustError
from medr_jax.types import Status

NAN = np.nan


def group(lab, *rights, name="000000.0.0", **changes):
    rollouts = [lab.rollout(name, n, right=right, **changes) for n, right in enumerate(rights)]
    spread = len(set(rights)) > 1
    for rollout in rollouts:
        rollout.reward = float(rollout.terms.right)
        rollout.informative = spread
        rollout.advantage = (rollout.reward - np.mean(rights)) if spread else 0.0
    return rollouts


def report_of(groups, config=None):
    entropies = [np.full(6, 0.25) for one in groups for rollout in one if rollout.valid]
    return trust.measure(groups, entropies, config or TrustConfig())


def check(groups, report=None, **changes):
    settings = {"policy_version": 0, "first": True, "gated": True} | changes
    trust.require_sound(groups, report or report_of(groups), TrustConfig(), **settings)


def test_a_sound_iteration(lab):
    groups = [group(lab, True, False, False, False), group(lab, False, False, name="b")]
    report = report_of(groups)
    check(groups, report)
    assert report["rollout/exact_match"] == pytest.approx(1 / 6)
    assert report["rollout/exact_match/hops=1"] == pytest.approx(1 / 6)
    assert report["group/dead"] == report["group/all_wrong"] == 0.5
    assert report["group/all_right"] == 0.0
    assert report["rollout/tool_free"] == 1.0 and report["rollout/sampled_tokens"] == 4.0
    assert report["policy/entropy"] == 0.25 and report["policy/reference_kl"] == 0.0
    assert report["policy/logprob_right"] == report["policy/logprob_wrong"] == -0.5
    assert report["sampler/gap_max"] == 0.0 and report["sampler/ratio_p50"] == 1.0


def test_failures_on_our_side_are_counted_and_left_out(lab):
    failed = lab.rollout("a", 1, right=True, status=Status.INFRA_ERROR)
    groups = [[lab.rollout("a", 0, right=False, reward=0.0), failed]]
    report = report_of(groups)
    assert report["rollout/infra_failed"] == 0.5
    assert report["rollout/exact_match"] == 0.0  # 0.5 if the failed one counted
    assert report_of([[failed, failed]]) == {"rollout/infra_failed": 1.0}
    with pytest.raises(TrustError, match="rollout/infra_failed=1.00"):
        failed.advantage = 0.0
        check([[failed, failed]])


def test_one_token_in_the_tail_is_seen(lab):
    groups = [group(lab, True, False, False, False)]
    groups[0][0].logprobs = groups[0][0].logprobs.copy()
    groups[0][0].logprobs[4] -= 0.01
    report = report_of(groups)
    assert report["sampler/gap_max"] == pytest.approx(0.01, abs=1e-6)
    assert report["sampler/gap_mean"] == pytest.approx(0.01 / 16, abs=1e-6)  # hides it
    with pytest.raises(TrustError, match="sampler/gap_max=0.01 nats"):
        check(groups, report)


def test_reference_and_policy_are_one_before_the_first_step(lab):
    groups = [group(lab, True, False, ref_logprobs=np.full(6, -0.6, np.float32))]
    report = report_of(groups)
    assert report["policy/reference_kl"] == pytest.approx(np.exp(-0.1) - 1 + 0.1, rel=1e-4)
    with pytest.raises(TrustError, match="policy/reference_kl"):
        check(groups, report)
    check(groups, report, first=False)


def test_what_is_not_finite_stops_the_run(lab):
    groups = [group(lab, True, False, old_logprobs=np.full(6, NAN, np.float32))]
    with pytest.raises(TrustError, match="is nan"):
        check(groups)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss_mask": np.ones(6, bool)}, "token 0 .turn -1.: in the loss: True, its role"),
        ({"loss_mask": np.array([0, 1, 1, 0, 1, 0], bool)}, "token 5 .turn 1.: in the loss: False"),
        ({"policy_versions": np.full(6, 0, np.int32)}, "token 0.*a policy sampled it: True"),
        ({"logprobs": np.full(6, NAN, np.float32)}, "token 1.*log-probability: False"),
    ],
)
def test_mask_violations_name_the_token(lab, change, message):
    with pytest.raises(TrustError, match=f"rollout 000000.0.0/0: mask violation at {message}"):
        trust.audit_mask(lab.rollout(**change), 0)


def test_rollouts_of_older_weights_are_refused(lab):
    with pytest.raises(TrustError, match="policy version 3 sampled it: False"):
        trust.audit_mask(lab.rollout(), 3)


def test_advantages_in_an_all_wrong_group_are_refused(lab):
    groups = [group(lab, False, False)]
    groups[0][1].advantage = 0.1
    with pytest.raises(TrustError, match="no answer is right and yet there are advantages"):
        check(groups)
    check(groups, gated=False)
