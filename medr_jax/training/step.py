"""One optimizer step: gradients over micro-batches, one denominator, one update."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from medr_jax import sharding
from medr_jax.training.state import TrainState, join_params, state_shardings


class Ratio(NamedTuple):
    """A mean kept as total and count, so that parts of a batch add up to the whole's mean."""

    total: jax.Array
    count: jax.Array


def host_means(ratios: Mapping[str, Ratio]) -> dict[str, float]:
    """total / count of each, waiting for the device; those with nothing to count are left out."""
    return {
        name: float(total) / float(count)
        for name, (total, count) in jax.device_get(dict(ratios)).items()
        if count > 0
    }


LossFn = Callable[[Any, dict[str, jax.Array], jax.Array], dict[str, Ratio]]
"""``loss_fn(params, micro_batch, rng)``: named ratios. "loss" is minimised; the count of each
must not depend on the parameters, which are all of the model's, trained or frozen."""


def gradients(
    loss_fn: LossFn,
    params: Any,
    batch: dict[str, jax.Array],
    rng: jax.Array,
    layout: Any = None,
    *,
    skip_empty: bool = False,
) -> tuple[Any, dict[str, Ratio]]:
    """Gradient of loss total / loss count over all micro-batches, and the summed ratios.

    Leading axis of ``batch``: micro-batches. Totals are summed before the one division, so the
    result does not depend on how rows were grouped (a mean of per-micro-batch means would).
    ``layout``, the parameters' shardings, is what gradients get, sums of them included; without,
    the compiler places them, and versions of JAX differ in where. ``skip_empty``: micro-batches
    at the end without any ``segment_ids`` are not computed, so that batches of any size are one
    compiled shape.
    """

    def total(params: Any, micro: dict[str, jax.Array], rng: jax.Array):
        ratios = loss_fn(params, micro, rng)
        return ratios["loss"].total, ratios

    def grad_fn(*arguments: Any) -> tuple[Any, dict[str, Ratio]]:
        grads, ratios = jax.grad(total, has_aux=True)(*arguments)
        if layout is not None:
            grads = jax.lax.with_sharding_constraint(grads, layout)
        return grads, ratios

    num_micro = jax.tree.leaves(batch)[0].shape[0]
    rngs = jax.random.split(rng, num_micro)
    if num_micro == 1:
        grads, ratios = grad_fn(params, jax.tree.map(lambda array: array[0], batch), rngs[0])
    else:

        def add(sums: Any, part: tuple[dict[str, jax.Array], jax.Array]) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, sums, grad_fn(params, *part)), None

        def add_number(index: jax.Array, sums: Any) -> Any:
            return add(sums, micro_batch((batch, rngs), index))[0]

        first = jax.tree.map(lambda array: array[0], batch)
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(grad_fn, params, first, rngs[0]),
        )
        if skip_empty:
            grads, ratios = jax.lax.fori_loop(0, num_used(batch), add_number, zeros)
        else:
            (grads, ratios), _ = jax.lax.scan(add, zeros, (batch, rngs))
    count = jnp.maximum(ratios["loss"].count, jnp.finfo(jnp.float32).tiny)
    return jax.tree.map(lambda grad: (grad / count).astype(grad.dtype), grads), ratios


def num_used(batch: Mapping[str, jax.Array]) -> jax.Array:
    """How many micro-batches there are up to the last that is not all padding; at least 1."""
    segment_ids = batch["segment_ids"]
    filled = jnp.any(segment_ids > 0, axis=tuple(range(1, segment_ids.ndim)))
    return jnp.max(jnp.where(filled, jnp.arange(1, len(filled) + 1), 1))


def micro_batch(batch: Any, index: jax.Array) -> Any:
    """One micro-batch of a tree of arrays that have them along their first axis."""
    return jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, index, keepdims=False), batch)


def make_train_step(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    learning_rate: Callable[[jax.typing.ArrayLike], jax.Array],
    state: TrainState,
    *,
    skip_empty: bool = False,
) -> Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, Ratio]]]:
    """A jitted ``step(state, batch) -> (state, metrics)`` that consumes its state.

    Metrics: the loss's ratios, and as ratios over 1 ``grad_norm`` (before clipping) and
    ``learning_rate``. The new state lies where ``state`` does, gradients where parameters do.
    """
    layout = state_shardings(state)

    def step(state: TrainState, batch: dict[str, jax.Array]):
        rng = jax.random.fold_in(jax.random.wrap_key_data(state.rng), state.step)

        def trained_loss(params: Any, micro: dict[str, jax.Array], rng: jax.Array):
            return loss_fn(join_params(params, state.frozen), micro, rng)

        grads, ratios = gradients(
            trained_loss, state.params, batch, rng, layout.params, skip_empty=skip_empty
        )
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        one = jnp.ones(())
        metrics = {
            **ratios,
            "grad_norm": Ratio(optax.tree.norm(grads), one),
            "learning_rate": Ratio(learning_rate(state.step), one),
        }
        new = TrainState(
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            step=state.step + 1,
            rng=state.rng,
            frozen=state.frozen,
        )
        return new, metrics

    return jax.jit(step, donate_argnums=0, out_shardings=(layout, None))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Where a batch (micro, rows, ...) lies."""
    return NamedSharding(mesh, PartitionSpec(None, sharding.RULES["batch"]))


def make_place(
    mesh: Mesh, num_micro: int = 1
) -> Callable[[dict[str, np.ndarray]], dict[str, jax.Array]]:
    """``place(batch)``: this process's rows (b, ...) to global arrays (micro, rows, ...).

    Rows are split over the mesh's data and fsdp axes; ``sharding.row_share`` says which part of
    a batch's rows a process must give.
    """
    rows = batch_sharding(mesh)

    def place(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        return {
            name: jax.make_array_from_process_local_data(
                rows, array.reshape(num_micro, array.shape[0] // num_micro, *array.shape[1:])
            )
            for name, array in batch.items()
        }

    return place


def make_evaluate(
    loss_fn: LossFn,
    place: Callable[[dict[str, np.ndarray]], dict[str, jax.Array]],
    batches: Callable[[], Iterable[dict[str, np.ndarray]]],
) -> Callable[[Any], dict[str, float]]:
    """``evaluate(params)``: every ratio's mean over all of ``batches()``, each one micro-batch."""

    @jax.jit
    def measure(params: Any, batch: dict[str, jax.Array]) -> dict[str, Ratio]:
        return loss_fn(params, jax.tree.map(lambda array: array[0], batch), jax.random.key(0))

    def evaluate(params: Any) -> dict[str, float]:
        parts = [measure(params, place(batch)) for batch in batches()]
        # Summed on the host in float64: the mean does not depend on the number of batches.
        sums = jax.tree.map(lambda *values: np.sum(jax.device_get(values), dtype=float), *parts)
        return host_means(sums)

    return evaluate
