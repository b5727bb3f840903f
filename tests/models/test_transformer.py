"""The whole model: packing, layer loops, gradients, creation."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models.config import AttentionBackend, ModelConfig, Remat
from medr_jax.models.transformer import Transformer, abstract_model, create_model
from medr_jax.testing.models import (
    one_device,
    random_tokens,
    small_config,
    small_model,
    whole_rows,
)


@nnx.jit
def hidden(model, token_ids, positions, segment_ids):
    return model(token_ids, positions, segment_ids)


def with_config(model: Transformer, **changes) -> Transformer:
    """The same weights under a changed config."""
    config = dataclasses.replace(model.config, **changes)
    return nnx.merge(nnx.split(abstract_model(config))[0], nnx.state(model))


def test_packed_equals_unpacked():
    model = small_model()
    first, second = random_tokens((1, 7), 1), random_tokens((1, 5), 2)
    pad = jnp.zeros((1, 3), jnp.int32)
    packed = jnp.concatenate([first, second, pad], axis=1)
    positions = jnp.array([[*range(7), *range(5), 0, 0, 0]])
    segment_ids = jnp.array([[1] * 7 + [2] * 5 + [0] * 3])
    together = hidden(model, packed, positions, segment_ids)
    np.testing.assert_allclose(together[:, :7], hidden(model, first, *whole_rows(first)), atol=1e-5)
    apart = hidden(model, second, *whole_rows(second))
    np.testing.assert_allclose(together[:, 7:12], apart, atol=1e-5)
    # What a lost segment border would give is far from that:
    merged = hidden(model, packed, positions, jnp.ones_like(segment_ids))
    assert float(jnp.max(jnp.abs(merged[:, 7:12] - apart))) > 0.1


def test_padding_does_not_depend_on_token_values():
    # Token 0 inside a segment is a token like any other; only segment 0 is padding.
    model = small_model()
    tokens = random_tokens((1, 6)).at[0, 2].set(0)
    changed = tokens.at[0, 2].set(9)
    one, other = (hidden(model, ids, *whole_rows(ids)) for ids in (tokens, changed))
    assert float(jnp.max(jnp.abs(one[:, 3:] - other[:, 3:]))) > 0.01


def loss(model, token_ids):
    states = model(token_ids, *whole_rows(token_ids))
    logprobs = jax.nn.log_softmax(model.logits(states[:, :-1]))
    return -jnp.mean(jnp.take_along_axis(logprobs, token_ids[:, 1:, None], axis=-1))


value_and_gradients = nnx.jit(nnx.value_and_grad(loss))


@pytest.fixture(scope="module")
def unchanged():
    """Loss and gradients of the scanned model that keeps everything."""
    return value_and_gradients(small_model(), random_tokens((2, 9)))


@pytest.mark.parametrize(
    "changes",
    [
        {"scan_layers": False},
        {"remat": Remat.full},
        {"scan_layers": False, "remat": Remat.dots},
        {"remat": Remat.dots, "attention": AttentionBackend.chunked},
        {"remat": Remat.offload},
    ],
)
def test_layer_loop_and_remat_change_nothing(changes, unchanged):
    value, gradients = unchanged
    changed = with_config(small_model(), **changes)
    other, other_gradients = value_and_gradients(changed, random_tokens((2, 9)))
    assert float(value) == pytest.approx(float(other), abs=1e-6)
    jax.tree.map(
        lambda one, two: np.testing.assert_allclose(one, two, atol=1e-5),
        gradients,
        other_gradients,
    )


@pytest.mark.slow
def test_the_less_is_kept_the_less_memory_a_step_takes():
    tokens = jax.ShapeDtypeStruct((2, 256), jnp.int32)

    def temporary_bytes(remat):
        config = small_config(num_layers=8, remat=remat, short_conv_width=0)
        graph, params = nnx.split(abstract_model(config))
        step = jax.jit(jax.grad(lambda params, ids: loss(nnx.merge(graph, params), ids)))
        return step.lower(params, tokens).compile().memory_analysis().temp_size_in_bytes

    none, dots, full = (temporary_bytes(r) for r in (Remat.none, Remat.dots, Remat.full))
    # A policy that is not applied gives three times the same.
    assert full < 0.8 * dots and dots < 0.5 * none


def test_offloading_sends_layer_inputs_to_the_host():
    model, tokens = small_model(small_config(remat=Remat.offload)), random_tokens((2, 9))
    graph, params = nnx.split(model)
    step = jax.make_jaxpr(jax.grad(lambda params: loss(nnx.merge(graph, params), tokens)))
    # (layers, batch, length, embedding): what the scan stacks for its backward pass
    assert re.search(r"f32<host>\[2,2,9,32\]", str(step(params)))


def test_every_parameter_gets_a_finite_gradient(unchanged):
    _, gradients = unchanged
    for path, leaf in nnx.to_flat_state(gradients):
        array = np.asarray(leaf[...])
        assert np.isfinite(array).all(), path
        # A bias added to every key shifts all scores of a query alike. It is rotated here, so
        # that it matters all the same.
        assert np.abs(array).max() > 0, path


def test_logits_are_float32_under_bfloat16():
    model = small_model(small_config(dtype="bfloat16"))
    tokens = random_tokens((1, 4))
    states = hidden(model, tokens, *whole_rows(tokens))
    assert states.dtype == jnp.bfloat16
    assert model.logits(states).dtype == jnp.float32


def test_scaled_embeddings_start_at_unit_variance():
    model = create_model(
        ModelConfig(vocab_size=500, num_layers=1, scale_embeddings=True), one_device(), seed=3
    )
    embedded = model._embed(jnp.arange(500)[None])
    assert float(jnp.std(embedded)) == pytest.approx(1.0, abs=0.02)
    # Layers differ from each other and seeds give the same again.
    again = create_model(model.config, one_device(), seed=3)
    np.testing.assert_array_equal(model.embedding[...], again.embedding[...])


def test_stacked_layers_start_different():
    model = create_model(small_config(num_layers=3), one_device(), seed=0)
    query = np.asarray(model.layers.attention.query[...])
    assert query.shape == (3, 32, 4, 8)
    assert np.abs(query[0] - query[1]).max() > 0.1
    assert query.std() == pytest.approx(32**-0.5, rel=0.1)


def test_a_model_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocab_size=0"):
        Transformer(ModelConfig(), nnx.Rngs(0))


def test_with_convolutions_a_key_head_starts_as_a_query_head_of_its_group():
    config = small_config(num_heads=4, num_kv_heads=2)
    attention = Transformer(config, nnx.Rngs(0)).layers.attention
    query, key = attention.query[...], attention.key[...]
    np.testing.assert_array_equal(key, query[:, :, [0, 2]])
    assert not np.array_equal(query[0], query[1])  # each layer draws its own
