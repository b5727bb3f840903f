"""Iterations over a policy that plays a script: rounds, minibatches, stops and dumps."""

import json

import numpy as np
import pytest

from medr_jax.models.config import ModelConfig
from medr_jax.rl import source as rl_source
from medr_jax.rl.config import KL, KLPlace, RLConfig
from medr_jax.rl.curriculum import Curriculum, CurriculumConfig
from medr_jax.rl.pace import TIMINGS, IterationPace
from medr_jax.rl.replay import ReplaySource, dump_paths
from medr_jax.rl.rollout import read_dump
from medr_jax.rl.source import Roller, RolloutSource
from medr_jax.rl.trust import TrustError
from medr_jax.testing.tokens import make_question

QUESTIONS = [make_question(question_id=f"q{n}") for n in range(6)]


class Scripted:
    """Stands for sampler, engine and scorer: rollout n of a group is right if n < its rights."""

    def __init__(self, lab, rights=lambda name: 1):
        self.lab, self.rights, self.engine, self.version = lab, rights, self, 0

    def set_params(self, params, version):
        self.version = version

    def release_params(self):
        pass

    def __call__(self, questions, names, group_size, mark):
        rollouts = [
            self.lab.rollout(
                name, n, question_id=question.question_id,
                right=n < self.rights(name),
                policy_versions=np.where(self.mask(), self.version, -1).astype(np.int32),
                old_logprobs=None, ref_logprobs=None,
            )
            for question, name in zip(questions, names, strict=True)
            for n in range(group_size)
        ]  # fmt: skip
        for rollout in rollouts:
            rollout.terms = mark(rollout.trajectory, rollout.num_sampled)
        return rollouts

    def mask(self):
        return self.lab.rollout().loss_mask

    def mark(self, trajectory, num_tokens):
        name, n = trajectory.trajectory_id.rsplit("/", 1)
        return self.lab.terms(int(n) < self.rights(name))

    @staticmethod
    def score(params, inputs):
        shape = inputs["token_ids"].shape
        return np.full(shape, params, np.float32), np.full(shape, 0.5, np.float32)


def make(lab, out, rights=lambda name: 1, **changes):
    values = {"num_prompts": 4, "group_size": 2, "row_length": 16, "micro_rows": 2} | changes
    config = RLConfig(**values)
    scripted = Scripted(lab, rights)
    roller = Roller(sampler=scripted, mark=scripted.mark, score=scripted.score, reference=-0.5)
    curriculum = Curriculum(QUESTIONS, CurriculumConfig(), seed=0)
    pace = IterationPace(ModelConfig(vocab_size=10), peak_flops=1e9)
    return RolloutSource(roller, curriculum, config, out, pace=pace, seed=0)


def test_one_iteration(lab, tmp_path):
    source = make(lab, tmp_path)
    batch = source.next_batch(-0.5)
    # One of two is right: advantages 1 and -1 over 4 tokens each, 4 groups.
    assert batch["advantages"][batch["loss_mask"] > 0].sum() == pytest.approx(0.0)
    assert np.all(np.abs(batch["advantages"][batch["loss_mask"] > 0]) > 0.99)
    assert batch["loss_mask"].sum() == 4 * 2 * 4
    report = source.report(1)
    assert report["rollout/exact_match"] == 0.5 and report["group/drawn"] == 4
    assert report["curriculum/hops=1"] == pytest.approx(0.5)
    assert source.report(1) == {}  # given out once
    assert not (tmp_path / "rollouts").exists()


def test_the_seconds_of_an_iteration(lab, tmp_path):
    source = make(lab, tmp_path, num_minibatches=2)
    for _ in range(3):
        source.next_batch(-0.5)
    first, last, after = (source.report(step) for step in (1, 2, 3))
    assert {"sample_s", "score_s"} == set(TIMINGS) & set(first) == set(TIMINGS) & set(after)
    assert set(last) == {"update_s", "update_mfu", "rollouts_per_s"}  # of the step that ends it


@pytest.mark.parametrize("paused_after", [3, 4])
def test_an_update_in_which_the_run_pauses_has_no_time(lab, tmp_path, paused_after):
    source = make(lab, tmp_path, num_minibatches=2)
    for number in range(1, 8):
        source.next_batch(-0.5)
        if number == paused_after:  # the loop reads a step's metrics before it pauses
            assert "update_s" not in source.report(number)
        elif number > 1:  # else once the next step runs
            assert ("update_s" in source.report(number - 1)) == (number - 1 in (2, 6))


def test_a_run_that_went_back_knows_no_time_of_what_it_left(lab, tmp_path):
    source = make(lab, tmp_path)
    state = source.get_state()
    source.next_batch(-0.5)
    source.set_state(state)
    for _ in range(2):
        source.next_batch(-0.5)
    assert source.report(0) == {}
    assert "update_s" in source.report(1) and "update_s" not in source.report(2)


def test_prompts_are_drawn_again_until_enough_groups_tell_something(lab, tmp_path):
    dead_first = lambda name: int(name.split(".")[1] != "0" or name.endswith(".0"))  # noqa: E731
    source = make(lab, tmp_path, dead_first, sampling_rounds=3)
    groups, report = source.rollouts(-0.5, 0)
    # Round 0 has one group that tells something, round 1 four more, round 2 is not needed.
    assert report["group/drawn"] == 8 and report["group/dead"] == 0.0
    assert [group[0].group_id for group in groups] == [
        "000000.0.0", "000000.1.0", "000000.1.1", "000000.1.2",
    ]  # fmt: skip
    source = make(lab, tmp_path, lambda name: 0, sampling_rounds=2)
    groups, report = source.rollouts(-0.5, 0)
    assert len(groups) == 4 and report["group/dead"] == 1.0  # filled up, and counted


def test_minibatches_are_whole_groups_and_each_once_an_epoch(lab, tmp_path):
    source = make(lab, tmp_path, num_minibatches=2, num_epochs=2)
    source._groups = source._roll_out(-0.5, 0)
    seen = [
        [
            group[0].group_id
            for group in rl_source.minibatch(source._groups, source._config, [0, 0], place)
        ]
        for place in range(4)
    ]
    assert all(len(part) == 2 for part in seen)
    assert sorted(seen[0] + seen[1]) == sorted(seen[2] + seen[3])
    assert set(seen[0] + seen[1]) == {f"000000.0.{n}" for n in range(4)}


def test_a_run_stopped_within_an_iteration_goes_on_with_its_open_groups(lab, tmp_path):
    def take(source, count):
        return [source.next_batch(-0.5) for _ in range(count)]

    changes = {"num_minibatches": 2, "num_epochs": 2}
    whole = take(make(lab, tmp_path / "whole", **changes), 7)
    stopped = make(lab, tmp_path / "stopped", **changes)
    first = take(stopped, 3)
    state = json.loads(json.dumps(stopped.get_state()))
    resumed = make(lab, tmp_path / "stopped", **changes)
    resumed.set_state(state)
    for one, other in zip(whole, first + take(resumed, 4), strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_run_killed_iterations_later_goes_back_to_its_checkpoint(lab, tmp_path):
    source = make(lab, tmp_path, num_minibatches=2, num_epochs=2)
    for _ in range(3):
        source.next_batch(-0.5)
    state = json.loads(json.dumps(source.get_state()))
    later = [source.next_batch(-0.5) for _ in range(6)]  # iterations 1 and 2 begin
    resumed = make(lab, tmp_path, num_minibatches=2, num_epochs=2)
    resumed.set_state(state)
    np.testing.assert_array_equal(resumed.next_batch(-0.5)["advantages"], later[0]["advantages"])


def test_open_rollouts_are_kept_for_the_last_states_only(lab, tmp_path):
    source = make(lab, tmp_path, num_minibatches=2)
    for _ in range(12):  # a state within each of six iterations and between them
        source.next_batch(-0.5)
        source.get_state()
    # The last three states were taken after batches 10, 11 and 12: in iterations 5, 5 and 6.
    assert [path.name for path in (tmp_path / "rollouts").iterdir()] == ["open-000005.jsonl"]


def test_a_broken_iteration_is_on_disk_and_stops_the_run(lab, tmp_path):
    source = make(lab, tmp_path)
    with pytest.raises(TrustError, match=r"iteration 0: sampler/gap_max=0.5.*000000.jsonl"):
        source.next_batch(-1.0)  # the trainer sees other weights than the sampler
    assert len(list(read_dump(tmp_path / "rollouts" / "000000.jsonl"))) == 8


def test_the_reference_is_measured_when_it_is_wanted(lab, tmp_path):
    plain = make(lab, tmp_path)
    assert "policy/reference_kl" in plain.rollouts(-0.5, 0)[1]
    assert "policy/reference_kl" not in plain.rollouts(-0.5, 3)[1]
    assert "policy/reference_kl" in plain.rollouts(-0.5, 10)[1]
    in_loss = make(lab, tmp_path, kl=KL.k3)
    assert "policy/reference_kl" in in_loss.rollouts(-0.5, 3)[1]


def test_kl_in_the_reward_is_summed_over_sampled_tokens(lab, tmp_path):
    in_reward = make(lab, tmp_path, kl=KL.k1, kl_place=KLPlace.reward, kl_coef=0.1)
    groups, _ = in_reward.rollouts(-0.3, 3)
    # alpha + beta 0.5 + gamma, minus 0.1 * 4 tokens * (log pi - log ref = 0.2)
    assert groups[0][0].reward == pytest.approx(1.0 + 0.1 + 0.1 - 0.08)


def test_replaying_a_dump_gives_the_same_batches(lab, tmp_path):
    source = make(lab, tmp_path, dump_every=1, kl=KL.k3)
    sampled = [source.next_batch(-0.5) for _ in range(2)]
    replay = ReplaySource(dump_paths(tmp_path), source._config, seed=0)
    for batch in [*sampled, sampled[0]]:  # after the last the first again
        again = replay.next_batch(None)
        for name in batch:
            np.testing.assert_array_equal(batch[name], again[name])


def test_a_replay_without_what_it_needs_says_so(lab, tmp_path):
    with pytest.raises(ValueError, match="set rl.dump_every=1"):
        ReplaySource(dump_paths(tmp_path), RLConfig(), seed=0)
    source = make(lab, tmp_path, dump_every=1)
    source.rollouts(-0.5, 3)
    source._num_given = 3
    source.next_batch(-0.5)
    config = RLConfig(group_size=2, row_length=16, micro_rows=2, kl=KL.k3)
    with pytest.raises(ValueError, match="rl.kl=k3 needs"):
        ReplaySource(dump_paths(tmp_path), config, seed=0).next_batch(None)
