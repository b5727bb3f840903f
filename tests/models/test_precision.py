"""Products of float32 are asked for in full, forward, backward and with a cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models.config import AttentionBackend, Remat
from medr_jax.models.kv_cache import KVCache
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import Transformer
from medr_jax.testing.models import random_tokens, small_config, whole_rows


def model_of(dtype, **changes):
    return Transformer(small_config(dtype=dtype, **changes), nnx.Rngs(0))


def products(function, *arguments):
    """How precisely each product of the lowered program is asked for."""
    text = jax.jit(function).lower(*arguments).as_text()
    lines = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert lines
    return ["HIGHEST" in line for line in lines]


def loss(state, graph, tokens):
    model = nnx.merge(graph, state)
    hidden = model(tokens, *whole_rows(tokens))
    return jnp.sum(token_logprobs(model, hidden, tokens))


@pytest.mark.parametrize(
    "backend", [AttentionBackend.einsum, AttentionBackend.blocked, AttentionBackend.chunked]
)
@pytest.mark.parametrize("remat", [Remat.none, Remat.full])
def test_training(backend, remat):
    tokens = random_tokens((2, 8))
    for dtype, exact in (("float32", True), ("bfloat16", False)):
        graph, state = nnx.split(model_of(dtype, attention=backend, remat=remat))
        found = products(jax.grad(lambda state: loss(state, graph, tokens)), state)  # noqa: B023
        assert set(found) == {exact}, (dtype, backend)


def test_sampling():
    for dtype, exact in (("float32", True), ("bfloat16", False)):
        model = model_of(dtype)
        cache = KVCache.create(model.config, 2, 16)
        for length in (4, 1):
            count = jnp.full(2, length, jnp.int32)
            graph, state = nnx.split(model)

            def extend(state, tokens, cache, count, graph=graph):
                model = nnx.merge(graph, state)
                hidden, cache = model.extend(tokens, cache, count)
                return model.logits(hidden), cache

            found = products(extend, state, random_tokens((2, length)), cache, count)
            assert set(found) == {exact}, (dtype, length)


def test_the_users_own_choice_is_back_afterwards():
    with jax.default_matmul_precision("bfloat16"):
        model = model_of("float32")
        tokens = random_tokens((1, 4))
        np.asarray(model(tokens, *whole_rows(tokens)))
        assert jax.config.jax_default_matmul_precision == "bfloat16"
        text = jax.jit(jnp.matmul).lower(jnp.ones((2, 2)), jnp.ones((2, 2))).as_text()
    assert "dot_general" in text and "HIGHEST" not in text
