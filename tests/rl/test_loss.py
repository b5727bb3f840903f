"""The policy loss against values computed by hand, and its independence of how rows are cut."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.rl import loss
from medr_jax.rl.config import KL, KLPlace, LossAgg, OffPolicy, RatioLevel, RLConfig
from medr_jax.training.step import Ratio, host_means

NAN = math.nan
# Two rollouts of 1 and 3 sampled tokens in one row, one of 1 in another; nan where an
# environment's tokens have no log-probability. Position 1 is an observation, the last padding.
MASK = jnp.array([[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
SEGMENTS = jnp.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 0, 0, 0]])
VALUES = jnp.array([[6.0, NAN, 1.0, 2.0, 3.0, NAN], [NAN, 8.0, NAN, NAN, NAN, NAN]])


def mean(ratio: Ratio) -> float:
    return float(ratio.total / ratio.count)


def row(*values: float) -> jax.Array:
    return jnp.array([values], jnp.float32)


def test_aggregation_by_hand():
    def of(agg, constant=1):
        return loss.aggregate(VALUES, MASK, SEGMENTS, agg, constant)

    assert mean(of(LossAgg.token)) == pytest.approx(20 / 5)
    # Means of rollouts 6, 2, 8; a mean of row means would give (12 / 4 + 8) / 2 = 5.5.
    assert mean(of(LossAgg.sequence)) == pytest.approx(16 / 3)
    assert mean(of(LossAgg.constant, 10)) == pytest.approx(20 / (3 * 10))


@pytest.mark.parametrize("agg", list(LossAgg))
def test_parts_of_a_batch_add_up_to_the_whole(agg):
    whole = loss.aggregate(VALUES, MASK, SEGMENTS, agg, 10)
    rows = jnp.array([[1.0], [0.0]])
    parts = [loss.aggregate(VALUES, MASK * kept, SEGMENTS, agg, 10) for kept in (rows, 1 - rows)]
    total, count = (sum(float(part[place]) for part in parts) for place in (0, 1))
    assert total / count == pytest.approx(mean(whole))
    # The mean of the two micro-batches' means is another number.
    assert np.mean([mean(part) for part in parts]) != pytest.approx(mean(whole))


def test_a_rollout_without_tokens_in_the_loss_is_not_counted():
    none = loss.aggregate(VALUES, MASK * (SEGMENTS != 2), SEGMENTS, LossAgg.sequence)
    assert float(none.count) == pytest.approx(2.0) and mean(none) == pytest.approx(7.0)


def test_clipping_by_hand():
    ratio, low, high = row(0.5, 0.5, 1.5, 1.5, 1.25), 0.2, 0.28
    gains = row(1.0, -1.0, 1.0, -1.0, 1.0)
    # A > 0 is cut above 1.28, A < 0 below 0.8; never the other way.
    expected = [0.5, -0.8, 1.28, -1.5, 1.25]
    assert loss.clipped_objective(ratio, gains, low, high)[0] == pytest.approx(expected)
    below, above = loss.is_clipped(ratio, gains, low, high)
    assert below[0].tolist() == [False, True, False, False, False]
    assert above[0].tolist() == [False, False, True, False, False]
    grads = jax.jit(jax.grad(lambda r: jnp.sum(loss.clipped_objective(r, gains, low, high))))(ratio)
    assert grads[0].tolist() == [1.0, 0.0, 0.0, -1.0, 1.0]


def test_the_sequence_ratio_is_a_geometric_mean_with_its_gradient():
    log_ratio = jnp.array([[0.3, 0.0, 0.1, 0.2, 0.6, 0.0]])
    mask, segments = MASK[:1], SEGMENTS[:1]

    def ratios(log_ratio):
        return loss.policy_ratio(log_ratio, mask, segments, RatioLevel.sequence)

    found = jax.jit(ratios)(log_ratio)[0]
    assert found[0] == pytest.approx(math.exp(0.3))  # not exp(1.2 / 4): rollouts of a row apart
    assert found[2:5] == pytest.approx([math.exp(0.3)] * 3)
    # d s / d log pi_t = s / |y|
    grads = jax.jit(jax.grad(lambda x: ratios(x)[0, 2]))(log_ratio)
    assert grads[0] == pytest.approx([0, 0, *[math.exp(0.3) / 3] * 3, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(KL.none, 0.0), (KL.k1, 0.5), (KL.k2, 0.125), (KL.k3, math.exp(-0.5) - 0.5)],
)
def test_kl_estimators_by_hand(kind, expected):
    # log pi - log ref = 0.5; k3 with the sign turned round would be exp(0.5) - 1.5 = 0.149.
    assert float(loss.kl_estimate(row(0.5), kind)[0, 0]) == pytest.approx(expected)
    assert float(loss.kl_estimate(row(0.0), kind)[0, 0]) == 0.0


def test_k3_is_unbiased_and_never_negative():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(8))
    exact = float(np.sum(p * np.log(p / q)))
    estimate = np.asarray(loss.kl_estimate(jnp.asarray(np.log(p / q))[None], KL.k3), float)[0]
    assert np.sum(p * estimate) == pytest.approx(exact, abs=1e-5)
    assert np.all(estimate >= 0)


def test_truncated_weights_are_one_where_nobody_sampled():
    old, sampler = row(-1.0, NAN, -1.0, -3.0), row(-2.0, NAN, 0.0, -3.0)
    weights = loss.truncated_weights(old, sampler, row(1.0, 0.0, 1.0, 1.0), cap=2.0)
    # exp(1) = 2.718 is capped; exp(-1); environment tokens are neither 0 nor nan.
    assert weights[0] == pytest.approx([2.0, 1.0, math.exp(-1), 1.0])


def batch(**changes):
    arrays = {
        "loss_mask": MASK.astype(jnp.int32),
        "segment_ids": SEGMENTS,
        "advantages": jnp.array([[2.0, 2.0, -1.0, -1.0, -1.0, 0.0], [0.5] * 6]),
        "old_logprobs": jnp.where(MASK > 0, -1.0, NAN),
        "sampler_logprobs": jnp.where(MASK > 0, -1.0, NAN),
        "ref_logprobs": jnp.where(MASK > 0, -1.5, NAN),
    }
    return arrays | changes


LOGPROBS = jnp.where(MASK > 0, -1.0, -7.0)


def of_batch(config, logprobs=LOGPROBS, entropy=None):
    """Named values of the loss; compiled, since every single operation would be otherwise."""
    made = jax.jit(lambda logprobs, batch: loss.policy_loss(logprobs, entropy, batch, config))
    return host_means(made(logprobs, batch()))


def value_and_grad(config):
    def total(logprobs):
        return loss.policy_loss(logprobs, None, batch(), config)["loss"].total

    return jax.jit(jax.value_and_grad(total))


def test_loss_by_hand_and_its_gradient():
    config = RLConfig(loss_agg=LossAgg.token)
    found = of_batch(config)
    # Ratio 1: -(2 - 3 + 0.5) / 5 tokens.
    assert found["loss"] == pytest.approx(0.1)
    assert found["ratio_above/1.2"] == found["ratio_below/0.8"] == 0.0

    # - A at each sampled token, 0 elsewhere although nan stands there.
    _, grads = value_and_grad(config)(LOGPROBS)
    assert grads[0].tolist() == [-2.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    assert grads[1].tolist() == [0.0, -0.5, 0.0, 0.0, 0.0, 0.0]


def test_kl_and_entropy_join_the_loss():
    config = RLConfig(kl=KL.k2, kl_coef=0.1, entropy_coef=0.01)
    found = of_batch(config, entropy=jnp.full(MASK.shape, 3.0))
    # k2 = 0.5 * 0.5^2 at every token.
    assert found["loss/kl"] == pytest.approx(0.0125)
    assert found["loss/entropy"] == pytest.approx(-0.03)
    assert found["loss"] == pytest.approx(0.1 + 0.0125 - 0.03)
    in_reward = RLConfig(kl=KL.k2, kl_place=KLPlace.reward)
    assert "loss/kl" not in of_batch(in_reward)


@pytest.mark.parametrize(
    ("level", "agg"),
    [(RatioLevel.token, LossAgg.token), (RatioLevel.sequence, LossAgg.sequence)],
)
def test_off_policy_terms_stay_finite_beside_unsampled_tokens(level, agg):
    config = RLConfig(ratio_level=level, loss_agg=agg, off_policy=OffPolicy.truncated_is, kl=KL.k3)
    value, grads = value_and_grad(config)(LOGPROBS + 0.1)
    assert np.isfinite(value) and np.all(np.isfinite(grads))
    assert np.all(np.asarray(grads)[np.asarray(MASK) == 0] == 0.0)


def test_tails_of_the_ratio_are_counted():
    shifted = LOGPROBS.at[0, 0].add(1.0).at[0, 2].add(-1.0)
    found = of_batch(RLConfig(), shifted)
    assert found["ratio_above/2.0"] == found["ratio_above/1.2"] == pytest.approx(1 / 5)
    assert found["ratio_below/0.5"] == found["ratio_below/0.8"] == pytest.approx(1 / 5)
    # A = 2 above, A = -1 below: both are cut off.
    assert found["clipped/high"] == found["clipped/low"] == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_size": 1}, "rl.group_size=1"),
        ({"num_minibatches": 3}, "must divide num_prompts=16"),
        ({"kl": KL.k1}, "use kl=k2 or k3, or kl_place=reward"),
        ({"clip_eps_low": 1.0}, "rl.clip_eps_low=1.0"),
        ({"is_cap": 0.0}, "rl.is_cap"),
        ({"num_epochs": 0}, "rl.num_epochs=0"),
    ],
)
def test_config_mistakes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        RLConfig(**change)
