"""Advantages and losses against TRL's own functions on the same numbers.

Run where trl and torch are installed: pytest -m parity tests/rl/test_parity_trl.py
"""

import types
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.rl import advantages, loss
from medr_jax.rl.config import KL, LossAgg, OffPolicy, RatioLevel, RLConfig

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs torch")
trl = pytest.importorskip("trl", reason="needs trl")

from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: E402 - where it is installed
from trl.trainer.utils import nanstd  # noqa: E402

B, T = 4, 7
CONSTANT = 11
LOSSES = {LossAgg.sequence: "grpo", LossAgg.token: "bnpo", LossAgg.constant: "dr_grpo"}


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    mask = rng.random((B, T)) < 0.6
    mask[:, 0] = True
    arrays = {
        name: rng.normal(-1.0, 0.3, (B, T))
        for name in ("logprobs", "old_logprobs", "ref_logprobs", "sampler_logprobs")
    }
    arrays["advantages"] = np.repeat(rng.normal(size=(B, 1)), T, axis=1)
    made = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    return made | {
        "loss_mask": jnp.asarray(mask, jnp.int32),
        "segment_ids": jnp.ones((B, T), jnp.int32),
    }


def tensor(array):
    return torch.tensor(np.asarray(array, np.float32))


def theirs(numbers, config, loss_type):
    """TRL's loss and its gradient, from a trainer that only has the numbers."""
    logprobs = tensor(numbers["logprobs"]).requires_grad_()
    corrected = config.off_policy is OffPolicy.truncated_is
    trainer = types.SimpleNamespace(
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=config.ratio_level.value,
        beta=config.kl_coef if config.kl is not KL.none else 0.0,
        epsilon_low=config.clip_eps_low,
        epsilon_high=config.clip_eps_high,
        args=types.SimpleNamespace(use_bias_correction_kl=False, delta=None),
        loss_type=loss_type,
        use_vllm=corrected,
        vllm_importance_sampling_correction=corrected,
        model=types.SimpleNamespace(training=False),
        max_completion_length=CONSTANT,
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _get_per_token_logps_and_entropies=lambda *_, **__: (
            logprobs,
            torch.zeros_like(logprobs),
            None,
        ),
        accelerator=types.SimpleNamespace(
            gather=lambda value: value, reduce=lambda value, reduction: value
        ),
    )
    old, sampler = tensor(numbers["old_logprobs"]), tensor(numbers["sampler_logprobs"])
    ids = torch.zeros((B, T), dtype=torch.long)
    inputs = {
        "prompt_ids": ids,
        "prompt_mask": ids,
        "completion_ids": ids,
        "completion_mask": tensor(numbers["loss_mask"]),
        "advantages": tensor(numbers["advantages"][:, 0]),
        "old_per_token_logps": old,
        "ref_per_token_logps": tensor(numbers["ref_logprobs"]),
        "importance_sampling_ratio": torch.exp(old - sampler).clamp(max=config.is_cap),
    }
    value = GRPOTrainer._compute_loss(trainer, None, inputs)
    value.backward()
    return value.item(), logprobs.grad.numpy()


def ours(numbers, config):
    def mean(logprobs):
        total, count = loss.policy_loss(logprobs, None, numbers, config)["loss"]
        return total / count

    return jax.jit(jax.value_and_grad(mean))(numbers["logprobs"])


@pytest.mark.parametrize("level", list(RatioLevel))
@pytest.mark.parametrize("agg", list(LossAgg))
@pytest.mark.parametrize("kl", [KL.none, KL.k3])
def test_loss_and_gradient(numbers, level, agg, kl):
    config = RLConfig(
        ratio_level=level, clip_eps_low=0.2, clip_eps_high=0.28, kl=kl, kl_coef=0.04,
        loss_agg=agg, loss_constant=CONSTANT,
    )  # fmt: skip
    value, gradient = theirs(numbers, config, LOSSES[agg])
    our_value, our_gradient = ours(numbers, config)
    assert float(our_value) == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(our_gradient, gradient, atol=1e-6)


def test_truncated_importance_sampling(numbers):
    config = RLConfig(off_policy=OffPolicy.truncated_is, is_cap=1.1, loss_agg=LossAgg.token)
    value, gradient = theirs(numbers, config, "bnpo")
    our_value, our_gradient = ours(numbers, config)
    assert float(our_value) == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(our_gradient, gradient, atol=1e-6)
    plain = RLConfig(loss_agg=LossAgg.token)
    assert float(ours(numbers, plain)[0]) != pytest.approx(value, abs=1e-4)


def test_advantages():
    """By their deviation: the sample's, with 1e-4 more; rewards of a dead group give 0 in both."""
    rewards = np.random.default_rng(1).random((3, 4))
    rewards[2] = 0.5
    grouped = tensor(rewards).double()
    centred = grouped - grouped.mean(dim=1, keepdim=True)
    expected = centred / (nanstd(grouped, dim=1, keepdim=True) + 1e-4)
    found = advantages.grpo(rewards.astype(np.float32).astype(float), eps=1e-4, ddof=1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-9)
