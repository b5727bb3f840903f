"""A transformer, an optimizer and a loss made into the pieces that the loop runs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax.data.packing import PackedRows
from medr_jax.models.transformer import Transformer
from medr_jax.sft.loss import make_loss_fn
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from medr_jax.training.state import TrainState, create_state
from medr_jax.training.step import make_train_step


class SFT(NamedTuple):
    """What ``build`` makes: the first state and the jitted step from one to the next."""

    graph: Any
    state: TrainState
    step: Any


def build(
    model: Transformer,
    optimizer_config: OptimizerConfig,
    config: TrainingConfig,
    mesh: Mesh,
    *,
    capacity: int = 0,
    make_state: Callable[..., TrainState] = create_state,
) -> SFT:
    """State and step for a model, whose arrays the state takes over.

    An abstract model with ``make_state=abstract_state`` gives the same step over an abstract
    state, to compile ahead of time.
    """
    graph, params = nnx.split(model)
    optimizer = make_optimizer(optimizer_config, config.num_steps, params)
    state = make_state(params, optimizer, mesh, seed=config.seed)
    step = make_train_step(
        make_loss_fn(graph, capacity=capacity),
        optimizer,
        make_schedule(optimizer_config, config.num_steps, optimizer_config.learning_rate),
        state,
    )
    return SFT(graph, state, step)


def loss_capacity(packed: PackedRows, micro_rows: int, context_weight: float, mesh: Mesh) -> int:
    """Most positions with a loss that any micro-batch can have; 0 = not worth gathering.

    Gathering moves positions between and along rows, so it is left out where devices split those.
    """
    if context_weight or any(mesh.shape[axis] > 1 for axis in ("data", "fsdp", "sequence")):
        return 0
    densest = int(packed.loss_mask.sum(axis=1, dtype=np.int64).max())
    capacity = -(-densest * micro_rows // 128) * 128
    return capacity if capacity < 0.9 * micro_rows * packed.token_ids.shape[1] else 0
