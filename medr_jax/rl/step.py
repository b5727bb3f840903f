"""A model, an optimizer and the policy loss made into the pieces that the loop runs."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax import processes
from medr_jax.models.logprobs import token_logprobs, token_logprobs_and_entropy
from medr_jax.models.transformer import Transformer
from medr_jax.rl.config import RLConfig
from medr_jax.rl.loss import policy_loss
from medr_jax.training.loop import Batch, TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from medr_jax.training.state import TrainState, create_state
from medr_jax.training.step import (
    LossFn,
    Ratio,
    batch_sharding,
    make_train_step,
    micro_batch,
    num_used,
)


class Distribution(NamedTuple):
    """What the sampler draws from, beside the weights; the trainer scores the same."""

    temperature: float = 1.0
    banned_ids: Sequence[int] = ()


class RL(NamedTuple):
    """What ``build`` makes."""

    graph: Any
    state: TrainState
    step: Callable[..., tuple[TrainState, dict[str, Ratio]]]
    place: Callable[[Batch], dict[str, jax.Array]]
    measure: Callable[[Any, dict[str, jax.Array]], jax.Array]
    score: Callable[[Any, Batch], tuple[np.ndarray, np.ndarray]]


SCORED = ("token_ids", "positions", "segment_ids", "target_ids", "loss_mask")
"""What of a batch the scorer reads."""


def build(
    model: Transformer,
    optimizer_config: OptimizerConfig,
    training: TrainingConfig,
    config: RLConfig,
    mesh: Mesh,
    distribution: Distribution,
    *,
    make_state: Callable[..., TrainState] = create_state,
) -> RL:
    """State, step and scorer for a model, whose arrays the state takes over.

    An abstract model with ``make_state=abstract_state`` gives the same step over an abstract
    state, to compile ahead of time.
    """
    graph, params = nnx.split(model)
    optimizer = make_optimizer(optimizer_config, training.num_steps, params)
    state = make_state(params, optimizer, mesh, seed=training.seed)
    schedule = make_schedule(optimizer_config, training.num_steps, optimizer_config.learning_rate)
    loss_fn = make_loss_fn(graph, config, distribution)
    step = make_train_step(loss_fn, optimizer, schedule, state, skip_empty=True)
    place = make_rows_place(mesh, config.micro_rows)
    measure = make_measure(graph, distribution)
    return RL(graph, state, step, place, measure, make_score(measure, place))


def make_loss_fn(graph: Any, config: RLConfig, distribution: Distribution) -> LossFn:
    """``policy_loss`` of a micro-batch; ``graph`` is the model's.

    Without an entropy bonus no entropy is computed here: the report's comes from ``score``.
    """

    def loss_fn(params: Any, batch: dict[str, jax.Array], rng: jax.Array) -> dict[str, Ratio]:
        model = nnx.merge(graph, params)
        tokens = (model, _hidden(model, batch), batch["target_ids"], batch["loss_mask"])
        if config.entropy_coef:
            logprobs, entropy = token_logprobs_and_entropy(*tokens, **distribution._asdict())
        else:
            logprobs, entropy = token_logprobs(*tokens, **distribution._asdict()), None
        return policy_loss(logprobs, entropy, batch, config)

    return loss_fn


def make_measure(
    graph: Any, distribution: Distribution
) -> Callable[[Any, dict[str, jax.Array]], jax.Array]:
    """``measure(params, placed batch)``: log-probability and entropy (micro, 2, rows, T).

    By the path that the loss takes, one micro-batch at a time; 0 where nothing was sampled.
    """

    @jax.jit
    def measure(params: Any, batch: dict[str, jax.Array]) -> jax.Array:
        model = nnx.merge(graph, params)

        def add(index: jax.Array, measured: jax.Array) -> jax.Array:
            micro = micro_batch(batch, index)
            tokens = (model, _hidden(model, micro), micro["target_ids"], micro["loss_mask"])
            pair = token_logprobs_and_entropy(*tokens, **distribution._asdict())
            return measured.at[index].set(jnp.stack(pair))

        num_micro, *shape = batch["token_ids"].shape
        empty = jnp.zeros((num_micro, 2, *shape), jnp.float32)
        return jax.lax.fori_loop(0, num_used(batch), add, empty)

    return measure


def make_score(
    measure: Callable[[Any, dict[str, jax.Array]], jax.Array],
    place: Callable[[Batch], dict[str, jax.Array]],
) -> Callable[[Any, Batch], tuple[np.ndarray, np.ndarray]]:
    """``score(params, batch) -> logprobs, entropies``, float32 (R, T), of each row's targets.

    Every process gives the whole batch and gets all of the scores.
    """

    def score(params: Any, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        placed = place({name: batch[name] for name in SCORED})
        measured = processes.to_host(measure(params, placed))
        logprobs, entropies = np.moveaxis(measured, 1, 0)
        return tuple(part.reshape(-1, part.shape[-1]) for part in (logprobs, entropies))

    return score


def make_rows_place(mesh: Mesh, micro_rows: int) -> Callable[[Batch], dict[str, jax.Array]]:
    """``place(batch)``: rows (R, ...), any whole number of micro-batches, as (micro, rows, ...).

    Every process gives the whole batch; its devices take what is theirs.
    """
    rows = batch_sharding(mesh)

    def place(batch: Batch) -> dict[str, jax.Array]:
        return {name: one(array) for name, array in batch.items()}

    def one(array: np.ndarray) -> jax.Array:
        cut = array.reshape(-1, micro_rows, *array.shape[1:])
        return jax.make_array_from_callback(cut.shape, rows, cut.__getitem__)

    return place


def _hidden(model: Transformer, batch: dict[str, jax.Array]) -> jax.Array:
    return model(batch["token_ids"], batch["positions"], batch["segment_ids"])
