"""What the compiled functions read, beside what they return."""

import jax
import jax.numpy as jnp
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
    assert sizes.prefill_rows_for(count, width) == expected


@pytest.mark.parametrize("new", [0, 2])
def test_a_part_without_new_tokens_computes_nothing(new, monkeypatch):
    # Of several devices all take part in a prefill: those with nothing to feed leave it at that.
    worked = []
    grow = Transformer.grow

    def seen(*arguments):
        jax.debug.callback(lambda: worked.append(1))
        return grow(*arguments)

    monkeypatch.setattr(Transformer, "grow", seen)
    config = EngineConfig(num_slots=SLOTS, max_length=64)
    graph, params = nnx.split(model := small_model(small_config(scan_layers=False, num_layers=1)))
    with jax.set_mesh(one_device()):
        cache = programs.new_cache(model.config, config, one_device())
        tokens, counts = jnp.ones((SLOTS, 8), jnp.int32), jnp.array([0, 0, new, 0])
        none = jnp.zeros(SLOTS, bool)
        fed = programs.prefill(graph, True, params, cache, tokens, counts, none, None)
        jax.effects_barrier()
    assert len(worked) == (1 if new else 0)
    assert fed.lengths.tolist() == counts.tolist()
