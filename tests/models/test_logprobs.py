"""Chunked log-probabilities equal the direct ones, and never hold all logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models.logprobs import (
    policy_logits,
    token_logprobs,
    token_logprobs_and_entropy,
)
from medr_jax.testing.models import VOCAB_SIZE, random_tokens, small_model


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def states():
    return jax.random.normal(jax.random.key(1), (3, 7, 32))


def direct(model, states, targets, temperature=1.0):
    logprobs = jax.nn.log_softmax(model.logits(states) / temperature)
    return jnp.take_along_axis(logprobs, targets[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("chunk_size", [1, 4, 21, 100])
def test_chunks_change_nothing(model, states, chunk_size):
    targets = random_tokens((3, 7))
    got = token_logprobs(model, states, targets, chunk_size=chunk_size)
    np.testing.assert_allclose(got, direct(model, states, targets), atol=2e-6)


def test_entropy_beside_the_same_logprobs(model, states):
    targets = random_tokens((3, 7))
    settings = {"temperature": 0.7, "banned_ids": (0, 3)}
    logprobs, entropy = token_logprobs_and_entropy(model, states, targets, chunk_size=4, **settings)
    whole = jax.nn.log_softmax(policy_logits(model.logits(states), **settings))
    # 0 log 0 = 0 for banned tokens; their logit times a rounded probability would be huge.
    expected = -jnp.sum(jnp.exp(whole) * whole, axis=-1)
    np.testing.assert_allclose(entropy, expected, atol=1e-5)
    same = token_logprobs(model, states, targets, chunk_size=4, **settings)
    np.testing.assert_array_equal(logprobs, same)


def test_gradients_equal_the_direct_ones(model, states):
    targets = random_tokens((3, 7))
    weights = jnp.linspace(-1.0, 1.0, 21).reshape(3, 7)

    def loss(model, states, function):
        return jnp.sum(weights * function(model, states, targets))

    chunked = nnx.grad(loss, argnums=(0, 1))(
        model, states, lambda *a: token_logprobs(*a, chunk_size=4)
    )
    whole = nnx.grad(loss, argnums=(0, 1))(model, states, direct)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), chunked, whole)


@pytest.mark.parametrize("wanted", [0, 1, 4, 9, 21])
@pytest.mark.parametrize("chunk_size", [4, 100])
def test_only_wanted_tokens_are_computed(model, states, wanted, chunk_size):
    targets = random_tokens((3, 7))
    mask = (
        jnp.zeros(21, jnp.int32).at[jax.random.permutation(jax.random.key(2), 21)[:wanted]].set(1)
    )
    mask = mask.reshape(3, 7)
    weights = mask * jnp.linspace(-1.0, 1.0, 21).reshape(3, 7)

    def loss(model, states, function):
        logprobs = function(model, states, targets)
        return jnp.sum(weights * jnp.where(mask, logprobs, 0.0)), logprobs

    find = nnx.grad(loss, argnums=(0, 1), has_aux=True)
    some, got = find(model, states, lambda *a: token_logprobs(*a, mask, chunk_size=chunk_size))
    whole, expected = find(model, states, direct)
    np.testing.assert_allclose(got, jnp.where(mask, expected, 0.0), atol=2e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), some, whole)


def test_chunks_behind_the_last_wanted_token_are_passed_over(model):
    calls = []
    counted = nnx.clone(model)
    project = counted.logits

    def logits(hidden):
        jax.debug.callback(lambda: calls.append(1))
        return project(hidden)

    object.__setattr__(counted, "logits", logits)
    states, targets = jnp.zeros((40, 32)), jnp.zeros((40,), jnp.int32)
    mask = jnp.arange(40) % 5 == 0  # 8 tokens, from all over
    token_logprobs(counted, states, targets, mask, chunk_size=4)
    jax.effects_barrier()
    assert len(calls) == 2  # of 10 chunks


def test_no_array_as_large_as_all_logits(model):
    # 40 tokens x 64 ids = 2,560 numbers; chunks of 8 need 512.
    states, targets = jnp.zeros((40, 32)), jnp.zeros((40,), jnp.int32)
    graph, params = nnx.split(model)

    def loss(params, chunk_size):
        model = nnx.merge(graph, params)
        return token_logprobs(model, states, targets, chunk_size=chunk_size).sum()

    def largest(chunk_size):
        text = str(jax.make_jaxpr(jax.grad(loss), static_argnums=1)(params, chunk_size))
        return any(f"f32[{shape},{VOCAB_SIZE}]" in text for shape in ("1,40", "5,1,8"))

    assert largest(40)
    assert not largest(8)


def test_temperature_and_bans_follow_the_sampler(model, states):
    targets = random_tokens((3, 7))
    got = token_logprobs(model, states, targets, temperature=0.5)
    np.testing.assert_allclose(got, direct(model, states, targets, 0.5), atol=5e-6)
    logits = policy_logits(jnp.array([0.0, 1.0, 2.0]), banned_ids=(2,))
    # The banned id's share goes to the others: 1 / (1 + e), not 1 / (1 + e + e^2).
    assert float(jax.nn.softmax(logits)[0]) == pytest.approx(1 / (1 + np.e))
    assert float(jax.nn.softmax(logits)[2]) == 0.0
