"""Bugs that made other codebases collapse, planted here one by one: each must be caught.

What a gate of the run itself catches is shown to stop it; what only a test can catch is shown to
fail that test.
"""

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from medr_jax.rl import loss, rewards, rollout, source
from medr_jax.rl.train import train_rl
from medr_jax.rl.trust import TrustError
from medr_jax.sampling.engine import Engine
from medr_jax.sampling.slots import Slots
from medr_jax.testing.tokens import make_question
from medr_jax.tokens.ledger import Ledger
from medr_jax.training.step import Ratio
from medr_jax.types import Status


def run(lab, out, **settings):
    return train_rl(lab.start(), lab.world(), lab.settings({"num_steps": 2}, **settings), out)


def nothing_saved(out):
    return not list((out / "checkpoints").glob("[0-9]*"))


@pytest.mark.slow
def test_groups_told_by_their_text(lab, tmp_path, monkeypatch):
    made = rollout.from_episode

    def by_text(episode, group_id):
        return made(episode, episode.trajectory.question.text)

    monkeypatch.setattr(rollout, "from_episode", by_text)
    alike = [make_question("which gene ?", question_id=f"q{n}") for n in range(5)]
    with pytest.raises(ValueError, match="has 8 rollouts, not group_size=4"):
        train_rl(lab.start(), lab.world(questions=alike), lab.settings(), tmp_path)


@pytest.mark.slow
def test_observations_in_the_loss(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(Ledger, "loss_mask", property(lambda ledger: np.ones(len(ledger), bool)))
    with pytest.raises(TrustError, match="mask violation at token 0"):
        run(lab, tmp_path)
    assert nothing_saved(tmp_path)


@pytest.mark.slow
def test_history_tokenised_again(lab, tmp_path, monkeypatch):
    append = Ledger.append_completion

    def again(self, token_ids, logprobs=None, policy_version=0):
        # Other tokens of the same length, as another merge of the same text would give.
        text = self._tokenizer.decode(list(token_ids))
        ids = (self._tokenizer.encode(text) + list(token_ids))[: len(token_ids)]
        append(self, ids, logprobs, policy_version)

    monkeypatch.setattr(Ledger, "append_completion", again)
    with pytest.raises(TrustError, match="sampler/gap_max="):
        run(lab, tmp_path)
    assert nothing_saved(tmp_path)


@pytest.mark.slow
def test_old_weights_left_in_the_sampler(lab, tmp_path, monkeypatch):
    given = Engine.set_params

    def once(self, params, version):
        if version == 0:
            given(self, jax.tree.map(jnp.copy, params), version)  # the step consumes them
        self.policy_version = version

    monkeypatch.setattr(Engine, "set_params", once)
    monkeypatch.setattr(Engine, "release_params", lambda self: None)
    with pytest.raises(TrustError, match="iteration 1: sampler/gap_max="):
        run(lab, tmp_path)


@pytest.mark.slow
def test_keys_and_values_of_older_weights(lab, tmp_path, monkeypatch):
    """The second iteration asks the first one's question and takes its prompt from the cache."""
    monkeypatch.setattr(Slots, "forget_prompts", lambda self: None)
    world = lab.world(questions=[make_question("which gene ?", question_id="q")])
    with pytest.raises(TrustError, match="iteration 1: sampler/gap_max="):
        train_rl(lab.start(), world, lab.settings({"num_steps": 2}), tmp_path)


def test_rollouts_whose_cache_belongs_to_older_weights_are_refused(lab):
    start = lab.start()
    engine = Engine(start.model, lab.settings().sampling, mesh=start.mesh, stop_ids=[1], pad_id=0)
    engine.open("a")
    with pytest.raises(ValueError, match="1 rollouts are open on policy version 0"):
        engine.set_params(engine.params, 1)


@pytest.mark.slow
def test_shaping_without_the_gate(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(
        rewards, "shaping_gate", lambda right, valid, config: np.ones((len(right), 1))
    )

    def all_wrong(trajectory, num_tokens):
        return lab.terms(False, expert=sum(trajectory.trajectory_id.encode()) % 7 / 7)

    with pytest.raises(TrustError, match="shaped rewards got past the outcome gate"):
        train_rl(lab.start(), lab.world(mark=all_wrong), lab.settings(), tmp_path)


def test_a_mean_of_each_micro_batch(lab, monkeypatch):
    summed = loss.aggregate

    def averaged(*arguments):
        total, count = summed(*arguments)
        return Ratio(total / count, jnp.ones(()))

    monkeypatch.setattr(loss, "aggregate", averaged)
    whole, parts = lab.gradients(1)["token"], lab.gradients(4)["token"]
    assert parts != pytest.approx(whole, rel=1e-2)  # test_train.py demands 1e-5


def test_importance_weights_on_environment_tokens(monkeypatch):
    # An environment's token counted as if sampled with probability 1.
    def unmasked(logprobs, others, mask):
        return logprobs - jnp.nan_to_num(others)

    def weights():
        old, sampler = jnp.array([[-1.0, -6.0]]), jnp.array([[-1.0, jnp.nan]])
        return loss.truncated_weights(old, sampler, jnp.array([[1.0, 0.0]]), 2.0)

    assert weights()[0, 1] == 1.0
    monkeypatch.setattr(loss, "difference", unmasked)
    assert weights()[0, 1] != 1.0


def test_a_failed_rollout_scored_as_wrong(lab, monkeypatch):
    # Two groups of one right, one wrong and one that our side failed.
    group = [lab.rollout(number=0), lab.rollout(number=1, right=False), lab.rollout(number=2)]
    group[2].trajectory = msgspec.structs.replace(group[2].trajectory, status=Status.INFRA_ERROR)
    source.compare([group], source.RLConfig(group_size=3))
    assert [one.advantage for one in group] == pytest.approx([1.0, -1.0, 0.0], abs=1e-5)
    monkeypatch.setattr(rollout.Rollout, "valid", property(lambda self: True))
    group = [lab.rollout(number=n, right=n == 0) for n in range(3)]
    source.compare([group], source.RLConfig(group_size=3))
    assert group[0].advantage == pytest.approx(2**0.5, abs=1e-4)  # what the bug gives
