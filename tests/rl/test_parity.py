"""Advantages and losses against Tunix's on the same numbers, where the definitions agree.

Run where google-tunix is installed: pytest -m parity tests/rl/test_parity.py
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.rl import advantages, loss
from medr_jax.rl.config import KL, LossAgg, RatioLevel, RLConfig

pytestmark = pytest.mark.parity
core = pytest.importorskip("tunix.rl.algo_core", reason="needs google-tunix")
common = pytest.importorskip("tunix.rl.common", reason="needs google-tunix")

B, T = 4, 7


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    mask = rng.random((B, T)) < 0.6
    mask[:, 0] = True
    arrays = {
        "logprobs": rng.normal(-1.0, 0.3, (B, T)),
        "old_logprobs": rng.normal(-1.0, 0.3, (B, T)),
        "ref_logprobs": rng.normal(-1.0, 0.3, (B, T)),
        "advantages": np.repeat(rng.normal(size=(B, 1)), T, axis=1),
        "loss_mask": mask,
    }
    made = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    return made | {"segment_ids": jnp.ones((B, T), jnp.int32)}


def test_advantages():
    rewards = np.random.default_rng(1).random((3, 4))
    flat = rewards.reshape(-1)
    # They divide by the sample deviation, and by the same 1e-6 more.
    assert advantages.grpo(rewards, ddof=1).reshape(-1) == pytest.approx(
        core.compute_advantages(flat, 4)
    )
    assert advantages.rloo(rewards).reshape(-1) == pytest.approx(
        np.asarray(core.compute_rloo_advantages(jnp.asarray(flat), 4)), abs=1e-6
    )
    assert advantages.dr_grpo(rewards).reshape(-1) == pytest.approx(
        core.compute_drgrpo_advantages(flat, 4)
    )


@pytest.mark.parametrize(
    ("kind", "theirs"), [(KL.k1, "kl"), (KL.k2, "mse_kl"), (KL.k3, "low_var_kl")]
)
def test_kl_estimators(numbers, kind, theirs):
    ours = loss.kl_estimate(numbers["logprobs"] - numbers["ref_logprobs"], kind)
    expected = common.compute_kl_divergence(numbers["logprobs"], numbers["ref_logprobs"], theirs)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("agg", "theirs"),
    [
        (LossAgg.token, "token-mean"),
        (LossAgg.sequence, "sequence-mean-token-mean"),
        (LossAgg.constant, "sequence-mean-token-scale"),  # by the row's length
    ],
)
def test_aggregation(numbers, agg, theirs):
    ours = loss.aggregate(numbers["logprobs"], numbers["loss_mask"], numbers["segment_ids"], agg, T)
    expected = common.aggregate_loss(numbers["logprobs"], numbers["loss_mask"], theirs)
    assert float(ours.total / ours.count) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("level", list(RatioLevel))
def test_loss_and_gradient(numbers, level, monkeypatch):
    config = RLConfig(
        ratio_level=level, clip_eps_low=0.2, clip_eps_high=0.28, kl=KL.k3, kl_coef=0.04,
        loss_agg=LossAgg.sequence,
    )  # fmt: skip
    settings = types.SimpleNamespace(
        beta=0.04, epsilon=0.2, epsilon_high=0.28, temperature=1.0, kl_clamp_value=None,
        loss_algo="gspo-token" if level is RatioLevel.sequence else "grpo",
        loss_agg_mode="sequence-mean-token-mean", kl_loss_mode="low_var_kl",
    )  # fmt: skip
    example = types.SimpleNamespace(
        prompt_ids=None, completion_ids=None, completion_mask=numbers["loss_mask"],
        advantages=numbers["advantages"], old_per_token_logps=numbers["old_logprobs"],
        ref_per_token_logps=numbers["ref_logprobs"],
    )  # fmt: skip

    def theirs(logprobs):
        logits = jnp.zeros((B, T, 2))
        monkeypatch.setattr(common, "compute_per_token_logps", lambda *a, **k: (logprobs, logits))
        return core.grpo_loss_fn(nnx.Linear(1, 1, rngs=nnx.Rngs(0)), example, settings, 0, 0)[0]

    def ours(logprobs):
        total, count = loss.policy_loss(logprobs, None, numbers, config)["loss"]
        return total / count

    for found, expected in zip(
        jax.value_and_grad(ours)(numbers["logprobs"]),
        jax.value_and_grad(theirs)(numbers["logprobs"]),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)
