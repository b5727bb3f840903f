"""Tokens come from the distribution whose logprob is returned, with noise of the rollout's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.sampling.logits import SamplingConfig, rollout_words, sample, turn_keys

LOGITS = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))


def keys(count: int, turn: int = 0, seed: int = 0):
    words = np.stack([rollout_words(index) for index in range(count)])
    return turn_keys(seed, jnp.asarray(words), jnp.full(count, turn))


def draw(config: SamplingConfig, count: int = 4000, banned=()):
    logits = jnp.broadcast_to(LOGITS, (count, 4))
    return sample(logits, keys(count), jnp.zeros(count, jnp.int32), config, banned)


@pytest.mark.parametrize(
    ("config", "banned", "expected"),
    [
        (SamplingConfig(), (), [0.5, 0.3, 0.15, 0.05]),
        (SamplingConfig(), (0,), [0.0, 0.6, 0.3, 0.1]),
        (SamplingConfig(top_k=2), (), [0.625, 0.375, 0.0, 0.0]),
        # 0.5 has not reached 0.6, so the second stays; it does, so the third goes.
        (SamplingConfig(top_p=0.6), (), [0.625, 0.375, 0.0, 0.0]),
        (SamplingConfig(top_p=0.4), (), [1.0, 0.0, 0.0, 0.0]),
        # temperature 0.5 squares the odds: 25 : 9 : 2.25 : 0.25
        (SamplingConfig(temperature=0.5), (), np.array([25, 9, 2.25, 0.25]) / 36.5),
    ],
)
def test_frequencies_and_logprobs_are_those_of_one_distribution(config, banned, expected):
    tokens, logprobs = draw(config, banned=banned)
    shares = np.bincount(tokens, minlength=4) / len(tokens)
    np.testing.assert_allclose(shares, expected, atol=0.03)  # 4 standard errors of 4,000 draws
    np.testing.assert_allclose(logprobs, np.log(np.asarray(expected)[tokens]), atol=1e-5)


def test_greedy_takes_the_best_with_the_models_own_logprob():
    tokens, logprobs = draw(SamplingConfig(temperature=0.0), count=3)
    assert tokens.tolist() == [0, 0, 0]
    np.testing.assert_allclose(logprobs, np.log(0.5), rtol=1e-6)  # not log 1
    tokens, _ = draw(SamplingConfig(temperature=0.0), count=3, banned=(0,))
    assert tokens.tolist() == [1, 1, 1]


def test_noise_belongs_to_rollout_turn_position_and_seed():
    logits = jnp.zeros((8, 64))

    def tokens(order=range(8), turn=0, position=0, seed=0):
        rngs = keys(8, turn, seed)[jnp.array(list(order))]
        return sample(logits, rngs, jnp.full(8, position), SamplingConfig())[0]

    base = tokens()
    # The same rollout in another row draws the same.
    np.testing.assert_array_equal(tokens(order=range(7, -1, -1)), base[::-1])
    for other in (tokens(turn=1), tokens(position=1), tokens(seed=1)):
        assert int(jnp.sum(other == base)) < 4
    assert len(set(base.tolist())) > 3  # rollouts differ


def test_rollout_words_are_stable():
    # sha256("q1/0") is the identity of the noise; it must not change between versions.
    assert rollout_words("q1/0").tolist() == rollout_words("q1/0").tolist()
    assert rollout_words(12).tolist() == rollout_words("12").tolist()
    assert rollout_words("a").tolist() != rollout_words("b").tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_k": -1},
        {"top_p": 0.9, "for_training": True},
        {"top_k": 5, "for_training": True},
        {"temperature": 0.0, "for_training": True},
    ],
)
def test_wrong_settings_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        SamplingConfig(**fields)


def test_sampling_is_jittable_with_banned_ids():
    run = jax.jit(lambda x: sample(x, keys(2), jnp.arange(2), SamplingConfig(), (1, 2)))
    tokens, _ = run(jnp.zeros((2, 4)))
    assert set(tokens.tolist()) <= {0, 3}
