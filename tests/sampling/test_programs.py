"""What the compiled functions read, beside what they return."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models.transformer import Transformer
from medr_jax.sampling import programs
from medr_jax.sampling.config import EngineConfig
from medr_jax.testing.models import one_device, small_config, small_model

SLOTS, STEPS = 4, 3


@pytest.mark.parametrize("scanned", [True, False])
@pytest.mark.parametrize("rows", [2, SLOTS])
def test_the_decoding_loop_reads_keys_and_values_of_its_rows_only(rows, scanned):
    config = EngineConfig(num_slots=SLOTS, max_length=64, chunk_steps=STEPS)
    model = small_model(small_config(scan_layers=scanned, num_layers=5))
    graph, params = nnx.split(model)
    with jax.set_mesh(one_device()):
        cache = programs.new_cache(model.config, config, one_device())
        decode = programs.build(graph, config, one_device(), [5], [0]).decode
        numbers = jnp.ones(rows, jnp.int32)
        words = jnp.zeros((rows, 2), jnp.uint32)
        jaxpr = jax.make_jaxpr(decode)(params, cache, numbers, numbers, words, numbers)
    # The outer loop: on a CPU whatever it cuts out of an array is copied at each step.
    (loop,) = (one for one in jaxpr.eqns if one.primitive.name == "while")
    shapes = [variable.aval.shape for variable in loop.invars]
    stores = [shape for shape in shapes if len(shape) == 5]
    assert stores and {shape[1] for shape in stores} == {rows}
    stacked = {leaf.shape for leaf in jax.tree.leaves(params["layers"])}
    assert not stacked & set(shapes), "the loop cuts layers out of all weights at each step"


@pytest.mark.parametrize(
    ("count", "width", "expected"),
    [(1, 256, 2), (3, 256, 2), (6, 256, 2), (7, 256, 8), (8, 256, 8), (9, 256, 8),
     (3, 16, 8)],
)  # fmt: skip
def test_prefill_takes_the_rows_that_cost_least(count, width, expected):
    # Of 256 tokens a row: six rows are three dispatches of two, not one of eight. Of 16 tokens a
    # dispatch costs more than the places that it leaves empty.
    config = EngineConfig(num_slots=32, prefill_rows=8, prefill_widths=[16, 256])
    sizes = programs.sizes(config, one_device())
    assert sizes.prefill_rows == (2, 8)
    assert sizes.prefill_rows_for([count], width) == expected


@pytest.mark.parametrize(
    ("counts", "in_blocks", "expected"),
    [([8, 8], True, 8), ([8, 0], True, 2), ([8, 0], False, 8), ([2, 2], True, 2), ([7, 7], True, 8),
     ([6, 1], True, 2), ([6, 1], False, 2), ([8, 3], False, 8)],
)  # fmt: skip
def test_parts_that_share_cores_are_counted_by_what_each_has(counts, in_blocks, expected):
    sizes = programs.Sizes(2, 16, (16,), (2, 8), (256,), in_blocks, shares=True)
    assert sizes.prefill_rows_for(counts, 256) == expected


def test_passes_of_parts():
    sizes = programs.Sizes(2, 16, (16,), (2, 8), (256,), True, shares=True)
    assert sizes.passes([5, 1], 2) == 3 + 1  # each as many as it needs
    assert sizes.passes([5, 1], 8) == sizes._replace(in_blocks=False).passes([5, 1], 8) == 2
    assert sizes._replace(in_blocks=False).passes([5, 1], 2) == 3 + 3


WIDTH = 8


@pytest.fixture(scope="module")
def started():
    """A model's graph and parameters, and a cache whose slots hold a few tokens."""
    graph, params = nnx.split(model := small_model(small_config(scan_layers=False)))
    config = EngineConfig(num_slots=SLOTS, max_length=64)
    with jax.set_mesh(one_device()):
        cache = programs.new_cache(model.config, config, one_device())
        tokens, lengths = jnp.full((SLOTS, WIDTH), 7), jnp.array([3, 8, 0, 5])
        return graph, params, feed(graph, 0, params, cache, tokens, lengths, jnp.arange(SLOTS))


def feed(graph, block, params, cache, tokens, counts, slots):
    return programs.prefill(graph, block, params, cache, tokens, counts, counts > 3, slots)


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("counts", [[8, 5, 1], [4, 0, 0], [2, 7, 0]])
def test_blocks_leave_the_cache_as_all_rows_together_do(started, block, counts):
    graph, params, cache = started
    tokens = 1 + jnp.arange(3 * WIDTH).reshape(3, WIDTH)
    slots = jnp.array([3, 0, 2])
    with jax.set_mesh(one_device()):
        whole, blocks = (
            feed(graph, size, params, cache, tokens, jnp.array(counts), slots)
            for size in (0, block)
        )
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(blocks), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("counts", "blocks"), [([0, 0, 0], 0), ([2, 0, 0], 1), ([3, 8, 1], 3)])
def test_rows_without_new_tokens_are_not_computed(started, counts, blocks, monkeypatch):
    graph, params, cache = started
    worked = []
    grow = Transformer.grow

    def seen(*arguments):
        jax.debug.callback(lambda: worked.append(1))
        return grow(*arguments)

    monkeypatch.setattr(Transformer, "grow", seen)
    with jax.set_mesh(one_device()):
        tokens, slots = jnp.ones((3, WIDTH), jnp.int32), jnp.arange(3)
        feed(graph, 1, params, cache, tokens, jnp.array(counts), slots)
        jax.effects_barrier()
    assert len(worked) == blocks
