"""One optimizer step: denominators by hand, donation, evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.training.state import create_state
from medr_jax.training.step import (
    Ratio,
    gradients,
    host_means,
    make_evaluate,
    make_place,
    make_train_step,
    num_used,
)

RNG = jax.random.key(0)


class Slope(nnx.Module):
    def __init__(self):
        self.slope = nnx.Param(jnp.float32([2.0]), axes=(None,))


def params():
    return nnx.state(Slope())


def loss_fn(state, batch, rng):
    """Loss of an entry: slope * value, where the mask is 1."""
    total = jnp.sum(state["slope"][...] * batch["values"] * batch["mask"])
    return {"loss": Ratio(total, jnp.sum(batch["mask"]))}


VALUES = np.float32([[1, 1, 1], [5, 0, 0]])
MASK = np.float32([[1, 1, 1], [1, 0, 0]])


def batch(num_micro: int):
    shape = (num_micro, 2 // num_micro, 3)
    return {"values": VALUES.reshape(shape), "mask": MASK.reshape(shape)}


@pytest.mark.parametrize("num_micro", [1, 2])
def test_the_denominator_is_the_whole_steps(num_micro):
    grads, ratios = gradients(loss_fn, params(), batch(num_micro), RNG)
    # d/dslope: (1+1+1+5) / 4 = 2. A mean of the micro-batches' means would give (1+5)/2 = 3.
    np.testing.assert_allclose(grads["slope"][...], [2.0])
    # loss: slope 2 times that = 4; the wrong value is 6.
    assert host_means(ratios) == {"loss": 4.0}


def test_micro_batches_of_padding_are_not_computed():
    """Their values are nan here: computed, they would show."""
    padded = {
        "values": np.concatenate([batch(2)["values"], np.full((3, 1, 3), np.nan, np.float32)]),
        "mask": np.concatenate([batch(2)["mask"], np.ones((3, 1, 3), np.float32)]),
        "segment_ids": np.concatenate(
            [np.ones((2, 1, 3), np.int32), np.zeros((3, 1, 3), np.int32)]
        ),
    }
    grads, ratios = jax.jit(
        lambda params: gradients(loss_fn, params, padded, RNG, skip_empty=True)
    )(params())
    np.testing.assert_allclose(grads["slope"][...], [2.0])
    assert host_means(ratios) == {"loss": 4.0}
    assert not np.isfinite(gradients(loss_fn, params(), padded, RNG)[0]["slope"][...]).all()


def test_an_empty_micro_batch_in_between_is_computed():
    segment_ids = np.zeros((4, 1, 3), np.int32)
    assert int(num_used({"segment_ids": segment_ids})) == 1  # never none: shapes need one
    segment_ids[2, 0, 1] = 1
    assert int(num_used({"segment_ids": segment_ids})) == 3


def test_a_batch_without_anything_to_train_on_has_no_gradient():
    empty = {"values": VALUES[None], "mask": 0 * MASK[None]}
    grads, ratios = gradients(loss_fn, params(), empty, RNG)
    np.testing.assert_array_equal(grads["slope"][...], [0.0])
    assert host_means(ratios) == {}, "a mean of nothing is left out, not NaN"


def test_micro_batches_have_noise_of_their_own():
    def noisy(state, micro, rng):
        return {"loss": Ratio(jnp.sum(state["slope"][...]) * jax.random.normal(rng), jnp.ones(()))}

    one, _ = gradients(noisy, params(), batch(1), RNG)
    two, _ = gradients(noisy, params(), batch(2), RNG)
    first, second = (jax.random.normal(rng) for rng in jax.random.split(RNG, 2))
    np.testing.assert_allclose(two["slope"][...][0], (first + second) / 2, rtol=1e-6)
    assert float(one["slope"][...][0]) != pytest.approx(float(two["slope"][...][0]))


@pytest.mark.parametrize("num_micro", [1, 2])
def test_gradients_are_told_where_to_lie(num_micro):
    # Left to itself, XLA replicates them or not, as the version pleases.
    layout = jax.tree.map(lambda array: array.sharding, params())
    text = str(
        jax.make_jaxpr(lambda p, b: gradients(loss_fn, p, b, RNG, layout)[0])(
            params(), batch(num_micro)
        )
    )
    assert "sharding_constraint" in text


@pytest.fixture
def made():
    mesh = make_mesh(MeshConfig())
    optimizer = optax.sgd(0.5)
    state = create_state(params(), optimizer, mesh, seed=3)
    return state, make_train_step(loss_fn, optimizer, lambda step: 0.5 + 0 * step, state), mesh


def test_a_step_moves_parameters_counts_itself_and_reports(made):
    state, step, mesh = made
    state, metrics = step(state, make_place(mesh, 2)({"values": VALUES, "mask": MASK}))
    np.testing.assert_allclose(state.params["slope"][...], [2.0 - 0.5 * 2.0])
    assert int(state.step) == 1
    assert host_means(metrics) == {"loss": 4.0, "grad_norm": 2.0, "learning_rate": 0.5}


def test_a_step_consumes_its_state_and_compiles_once(made):
    state, step, mesh = made
    placed = make_place(mesh, 1)({"values": VALUES, "mask": MASK})
    after, _ = step(state, placed)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state)), "buffers were not donated"
    for _ in range(3):
        after, _ = step(after, placed)
    assert step._cache_size() == 1, "the new state must lie exactly where the old one did"


def test_a_step_needs_no_second_copy_of_its_state(made):
    state, step, mesh = made
    placed = make_place(mesh, 1)({"values": VALUES, "mask": MASK})
    compiled = step.lower(state, placed).compile()
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert compiled.memory_analysis().alias_size_in_bytes >= held


def test_each_step_has_noise_of_its_own(made):
    def noisy(params, micro, rng):
        one = jnp.ones(())
        return {"loss": Ratio(0.0 * jnp.sum(params["slope"][...]), one),
                "noise": Ratio(jax.random.normal(rng), one)}  # fmt: skip

    state, _, mesh = made
    step = make_train_step(noisy, optax.sgd(0.5), lambda step: 0.5 + 0 * step, state)
    placed = make_place(mesh, 1)({"values": VALUES, "mask": MASK})
    state, first = step(state, placed)
    _, second = step(state, placed)
    assert float(first["noise"].total) != float(second["noise"].total)


def test_placing_cuts_rows_into_micro_batches(made):
    placed = make_place(made[2], 2)({"rows": np.arange(8).reshape(4, 2)})
    np.testing.assert_array_equal(placed["rows"], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])


def test_evaluation_is_over_all_batches_not_a_mean_of_means():
    mesh = make_mesh(MeshConfig())
    rows = [{"values": VALUES[i : i + 1], "mask": MASK[i : i + 1]} for i in range(2)]
    evaluate = make_evaluate(loss_fn, make_place(mesh), lambda: rows)
    # 2 * (1+1+1+5) / 4 = 4; a mean of the two batches' means would give 6.
    assert evaluate(params()) == {"loss": 4.0}
