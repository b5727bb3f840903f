"""Schedules by hand, and which parameters decay, orthogonalise or neither."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medr_jax.training.optimizer import (
    OptimizerConfig,
    OptimizerName,
    Schedule,
    make_optimizer,
    make_schedule,
    map_params,
    matrix_dims,
)
from medr_jax.training.state import named_arrays


class Toy(nnx.Module):
    """One parameter of each sort, layers stacked in front as the transformer does."""

    def __init__(self, layers: int = 2):
        rng = np.random.default_rng(0)

        def param(shape, axes, stacked=True):
            shape = (layers, *shape) if stacked else shape
            return nnx.Param(jnp.asarray(rng.normal(size=shape), jnp.float32), axes=axes)

        self.embedding = param((8, 4), ("vocab", "embed"), stacked=False)
        self.query = param((4, 3, 2), ("embed", "heads", "head_dim"))
        self.out = param((3, 2, 4), ("heads", "head_dim", "embed"))
        self.query_bias = param((3, 2), ("heads", "head_dim"))
        self.norm = param((4,), ("embed",))
        self.taps = param((2, 4), ("taps", "embed"))


def params(layers: int = 2):
    return nnx.state(Toy(layers))


def update(config: OptimizerConfig, tree, grads, num_steps: int = 10) -> dict[str, jax.Array]:
    optimizer = make_optimizer(config, num_steps, tree)
    updates, _ = optimizer.update(grads, optimizer.init(tree), tree)
    return named_arrays(updates)


def test_schedule_by_hand():
    config = OptimizerConfig(warmup_steps=4, final_fraction=0.1)
    rate = make_schedule(config, 14, 2.0)
    # Warm-up reaches the peak with the fourth update; then 10 updates down to a tenth of it.
    np.testing.assert_allclose([rate(s) for s in range(4)], [0.5, 1.0, 1.5, 2.0], rtol=1e-6)
    assert float(rate(13)) == pytest.approx(0.2, rel=1e-5)  # a step too many would give 0.244
    assert float(rate(8)) == pytest.approx(2 * (0.1 + 0.9 * 0.5), rel=1e-5)  # half way
    linear = make_schedule(OptimizerConfig(warmup_steps=0, schedule=Schedule.linear), 10, 1.0)
    assert float(linear(4)) == pytest.approx(1 - 0.9 * 0.5, rel=1e-5)
    constant = make_schedule(OptimizerConfig(warmup_steps=0, schedule=Schedule.constant), 10, 1.0)
    assert float(constant(9)) == 1.0


def test_a_run_shorter_than_its_warm_up_is_all_warm_up():
    rate = make_schedule(OptimizerConfig(warmup_steps=40), 20, 4.0)
    assert float(rate(19)) == pytest.approx(2.0)


def decayed(name: OptimizerName, **settings) -> set[str]:
    """Parameters that move although their gradient is zero."""
    tree = params()
    config = OptimizerConfig(name=name, warmup_steps=0, weight_decay=0.5, **settings)
    moved = update(config, tree, jax.tree.map(jnp.zeros_like, tree))
    return {name for name, array in moved.items() if float(jnp.abs(array).max()) > 0}


@pytest.mark.parametrize("name", list(OptimizerName))
def test_weight_decay_leaves_norms_biases_taps_and_embeddings_alone(name):
    assert decayed(name) == {"query", "out"}
    assert decayed(name, decay_embeddings=True) == {"query", "out", "embedding"}


def test_weight_decay_is_times_the_learning_rate():
    tree = params()
    config = OptimizerConfig(
        warmup_steps=0, schedule=Schedule.constant, learning_rate=0.1, weight_decay=0.5
    )
    moved = update(config, tree, jax.tree.map(jnp.zeros_like, tree))
    np.testing.assert_allclose(moved["query"], -0.05 * tree["query"][...], rtol=1e-6)


def test_clipping_scales_the_whole_gradient_and_zero_switches_it_off():
    tree = params()
    grads = jax.tree.map(jnp.ones_like, tree)
    size = float(optax.tree.norm(grads))
    assert size > 5

    def first_moment(clip_norm):
        config = OptimizerConfig(clip_norm=clip_norm, b1=0.0)
        optimizer = make_optimizer(config, 10, tree)
        _, state = optimizer.update(grads, optimizer.init(tree), tree)
        return float(named_arrays(state)["1.0.mu.norm"][0, 0])

    assert first_moment(1.0) == pytest.approx(1 / size, rel=1e-5)
    assert first_moment(0.0) == pytest.approx(1.0, rel=1e-5)


def test_which_dimensions_of_a_matrix_are_summed_over():
    assert matrix_dims(("embed", "heads", "head_dim"), 4) == ((1,), (2, 3))
    assert matrix_dims(("heads", "head_dim", "embed"), 4) == ((1, 2), (3,))
    assert matrix_dims(("mlp", "embed"), 2) == ((0,), (1,))


def test_muon_updates_stacked_layers_as_separate_orthogonal_matrices():
    tree = params()
    config = OptimizerConfig(
        name=OptimizerName.muon, warmup_steps=0, weight_decay=0.0, clip_norm=0.0,
        schedule=Schedule.constant, muon_learning_rate=1.0,
    )  # fmt: skip
    rng = np.random.default_rng(1)
    grads = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), jnp.float32), tree)
    moved = update(config, tree, grads)
    for layer in range(2):
        # query maps 4 to 6: its rows become near-orthonormal, times sqrt(6/4) for the width.
        # Sent to Adam, as optax does with 3-D weights by default, all entries would be 1.
        matrix = np.asarray(moved["query"][layer]).reshape(4, 6) / (6 / 4) ** 0.5
        assert np.linalg.svd(matrix, compute_uv=False).min() > 0.6
        assert np.linalg.svd(matrix, compute_uv=False).max() < 1.3
        back = np.asarray(moved["out"][layer]).reshape(6, 4)  # 6 to 4: no width factor
        assert np.linalg.svd(back, compute_uv=False).max() < 1.3
    alone = nnx.state(Toy(1))
    one = update(config, alone, jax.tree.map(lambda a, g: g[: len(a)], alone, grads))
    np.testing.assert_allclose(one["query"][0], moved["query"][0], rtol=1e-4, atol=1e-5)


def test_muon_leaves_the_rest_to_adamw():
    tree = params()
    grads = jax.tree.map(jnp.ones_like, tree)
    settings = {"warmup_steps": 0, "weight_decay": 0.1, "learning_rate": 0.01}
    muon = update(OptimizerConfig(name=OptimizerName.muon, **settings), tree, grads)
    adamw = update(OptimizerConfig(**settings), tree, grads)
    for name in ("embedding", "norm", "taps", "query_bias"):
        np.testing.assert_allclose(muon[name], adamw[name], rtol=1e-6)
    assert float(jnp.abs(muon["query"] - adamw["query"]).max()) > 1e-3


def test_map_params_sees_axes_and_keeps_the_structure():
    tree = params()
    sizes = map_params(lambda axes, ndim: ndim - len(axes), tree)
    assert jax.tree.leaves(sizes) == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("learning_rate", 0.0), ("warmup_steps", -1), ("b2", 1.0), ("final_fraction", 2.0)],
)
def test_wrong_settings_are_named(field, value):
    with pytest.raises(ValueError, match=f"optimizer.{field}={value}"):
        OptimizerConfig(**{field: value})
