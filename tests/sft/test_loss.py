"""The SFT loss: by hand, and independent of how trajectories are laid out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.data import packing
from medr_jax.loader.pipeline import DataConfig, evaluation_batches
from medr_jax.models.config import Activation, ModelConfig
from medr_jax.models.logprobs import token_logprobs
from medr_jax.sft.loss import best_tokens, make_eval_fn, make_loss_fn, weighted_loss
from medr_jax.testing.training import invented_tokenizer, invented_trajectories, random_model
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import Role, get_protocol
from medr_jax.training.state import named_arrays
from medr_jax.training.step import Ratio, gradients, host_means

RNG = jax.random.key(0)
TOKENIZER = invented_tokenizer()


def test_weights_and_parts_by_hand():
    nll = jnp.float32([1, 2, 3, 4])
    ratios = weighted_loss(nll, jnp.float32([1, 0.5, 0, 1]), jnp.int32([1, 0, 0, 1]))
    # (1*1 + 0.5*2 + 1*4) / (1 + 0.5 + 1) = 2.4. Over the number of counted targets: 2.0.
    assert host_means(ratios)["loss"] == pytest.approx(2.4)
    assert host_means(ratios)["loss/model"] == pytest.approx(2.5)
    assert host_means(ratios)["loss/context"] == pytest.approx(2.0)
    plain = weighted_loss(nll, jnp.float32([1, 0, 0, 1]), jnp.int32([1, 0, 0, 1]))
    assert host_means(plain) == {"loss": 2.5, "loss/model": 2.5}


@pytest.fixture(scope="module")
def model():
    return random_model(
        ModelConfig(
            vocab_size=TOKENIZER.vocab_size, num_layers=1, embed_dim=32, num_heads=2,
            num_kv_heads=1, head_dim=16, mlp_dim=64, short_conv_width=3,
            activation=Activation.relu2,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def ledgers():
    protocol = get_protocol("compact")
    return [
        ledger_from_trajectory(trajectory, TOKENIZER, protocol)
        for trajectory in invented_trajectories(5, seed=2, hits=1)
    ]


@pytest.fixture(scope="module")
def layouts(ledgers):
    """The same five trajectories several to a row and one a row, as 8 rows of one length."""
    length = 2 * max(len(ledger) for ledger in ledgers)
    config = DataConfig(context_weight=0.3)

    def rows(parts, batch_rows):
        return next(evaluation_batches(packing.pack(parts, length), config, batch_rows=batch_rows))

    packed = rows(ledgers, 8)
    assert packed["segment_ids"].max() > 1
    single = [rows([ledger], 1) for ledger in ledgers] + [rows(ledgers[:1], 2)] * 2
    alone = {name: np.concatenate([part[name] for part in single])[:8] for name in packed}
    alone["loss_weights"][5:] = 0
    return {"packed": packed, "alone": alone}


@functools.cache
def compiled(graph):
    loss_fn = make_loss_fn(graph)
    # Unoptimised code compiles in a third of the time.
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(
        lambda params, batch: gradients(loss_fn, params, batch, RNG), compiler_options=options
    )


def whole_gradient(model, batch, num_micro: int):
    graph, params = nnx.split(model)
    micro = {
        name: jnp.asarray(array.reshape(num_micro, -1, array.shape[-1]))
        for name, array in batch.items()
    }
    grads, ratios = compiled(graph)(params, micro)
    return named_arrays(grads), host_means(ratios)


def mean_of_means(model, batch, num_micro: int):
    """What a loss averaged within each micro-batch, then over them, would give."""
    parts = []
    for i in range(num_micro):
        weights = np.zeros_like(batch["loss_weights"])
        weights[i::num_micro] = batch["loss_weights"][i::num_micro]
        parts.append(whole_gradient(model, batch | {"loss_weights": weights}, 1)[0])
    return jax.tree.map(lambda *grads: sum(grads) / num_micro, *parts)


def distance(one, other) -> float:
    """Largest ||difference|| / ||gradient|| over the parameters."""
    return max(
        float(jnp.linalg.norm(one[name] - other[name]) / jnp.linalg.norm(one[name])) for name in one
    )


def test_gradients_do_not_depend_on_micro_batches_or_packing(model, layouts):
    expected, means = whole_gradient(model, layouts["alone"], 1)
    cases = [("alone", 2), ("alone", 4), ("packed", 1), ("packed", 2), ("packed", 4)]
    for name, num_micro in cases:
        found, same = whole_gradient(model, layouts[name], num_micro)
        assert distance(expected, found) < 1e-5, (name, num_micro)
        assert same["loss"] == pytest.approx(means["loss"], rel=1e-6)
    wrong = mean_of_means(model, layouts["packed"], 2)
    assert distance(expected, wrong) > 1e-2, "the test can tell the wrong denominator apart"


def test_positions_without_weight_change_nothing(model, layouts):
    graph, params = nnx.split(model)
    batch = {name: jnp.asarray(array)[None] for name, array in layouts["packed"].items()}
    batch["loss_weights"] = batch["loss_mask"].astype(jnp.float32)

    def over_all_positions(params, batch, rng):
        model = nnx.merge(graph, params)
        hidden = model(batch["token_ids"], batch["positions"], batch["segment_ids"])
        nll = -token_logprobs(model, hidden, batch["target_ids"])
        return weighted_loss(nll, batch["loss_weights"], batch["loss_mask"])

    grads, ratios = compiled(graph)(params, batch)
    expected, same = jax.jit(lambda p, b: gradients(over_all_positions, p, b, RNG))(params, batch)
    assert distance(named_arrays(expected), named_arrays(grads)) < 1e-5
    assert host_means(ratios) == pytest.approx(host_means(same), rel=1e-6)


def test_evaluation_counts_right_tokens_by_role(model, layouts):
    graph, params = nnx.split(model)
    batch = {name: jnp.asarray(array) for name, array in layouts["packed"].items()}

    @jax.jit
    def both_ways(params, batch):
        model = nnx.merge(graph, params)
        hidden = model(batch["token_ids"], batch["positions"], batch["segment_ids"])
        return best_tokens(model, hidden), jnp.argmax(model.logits(hidden), axis=-1)

    best, expected = both_ways(params, batch)
    np.testing.assert_array_equal(best, expected)
    # Make every answer token right but one, and all other targets wrong.
    answers = np.argwhere(np.asarray(batch["target_roles"]) == int(Role.ANSWER))
    targets = np.array(best + 1)
    targets[tuple(answers[1:].T)] -= 1
    batch["target_ids"] = jnp.asarray(targets)
    ratios = jax.jit(make_eval_fn(graph))(params, batch, RNG)
    right, count = ratios["token_accuracy/answer"]
    assert (float(right), float(count)) == (len(answers) - 1, len(answers))
    assert isinstance(ratios["loss"], Ratio)
    trained = sum(float(ratio.count) for name, ratio in ratios.items() if "accuracy" in name)
    assert trained == float(batch["loss_mask"].sum())
