"""Names of arrays, and fingerprints that notice what changed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.training.optimizer import OptimizerConfig, OptimizerName, make_optimizer
from medr_jax.training.state import create_state, fingerprint, named_arrays, with_named_arrays


class Toy(nnx.Module):
    def __init__(self):
        self.value = nnx.Param(jnp.arange(6.0).reshape(2, 3), axes=("embed", "mlp"))
        self.parts = nnx.List([nnx.Param(jnp.ones(2), axes=("embed",)) for _ in range(2)])


def test_names_are_those_of_the_module():
    params = nnx.state(Toy())
    assert sorted(named_arrays(params)) == ["parts.0", "parts.1", "value"]
    assert "mu.value" in named_arrays(optax.scale_by_adam().init(params))


def test_arrays_go_back_by_name():
    params = nnx.state(Toy())
    doubled = {name: 2 * array for name, array in named_arrays(params).items()}
    np.testing.assert_array_equal(
        with_named_arrays(params, doubled)["value"][...], 2 * params["value"][...]
    )


def test_state_starts_at_step_zero_with_moments_for_each_optimizer():
    mesh = make_mesh(MeshConfig())
    params = nnx.state(Toy())
    for name in OptimizerName:
        optimizer = make_optimizer(OptimizerConfig(name=name), 10, params)
        state = create_state(params, optimizer, mesh, seed=1)
        assert int(state.step) == 0
        names = named_arrays(state.opt_state)
        assert any(key.endswith("mu.value") for key in names)
        assert any(key.endswith("nu.parts.0") for key in names)
        # Muon keeps one moment of a matrix, AdamW two.
        assert any(key.endswith("nu.value") for key in names) == (name is OptimizerName.adamw)


def test_a_fingerprint_sees_values_places_names_and_types():
    tree = {"a": jnp.float32([1.0, 2.0, 3.0]), "b": jnp.int32([7])}
    same = jax.tree.map(jnp.copy, tree)
    assert fingerprint(tree) == fingerprint(same)
    changed = [
        {**tree, "a": jnp.float32([1.0, 2.0, np.nextafter(np.float32(3), 4)])},
        {**tree, "a": jnp.float32([2.0, 1.0, 3.0])},  # a sum of bits would not see a swap
        {**tree, "b": jnp.float32([7])},
        {"a": tree["a"], "c": tree["b"]},
        {**tree, "a": tree["a"].reshape(3, 1)},
    ]
    assert len({fingerprint(other) for other in [tree, *changed]}) == 6
    assert fingerprint({"a": jnp.array([True, False])}) != fingerprint({"a": jnp.array([True] * 2)})
    assert fingerprint({"a": jnp.bfloat16([1.5])}) == fingerprint({"a": jnp.bfloat16([1.5])})
