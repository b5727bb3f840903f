"""A transformer, an optimizer and a loss made into the pieces that the loop runs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from medr_jax.data.packing import NO_TARGET, PackedRows
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models import lora
from medr_jax.models.config import ModelConfig
from medr_jax.models.flops import forward_flops
from medr_jax.models.transformer import Transformer
from medr_jax.sft.loss import make_loss_fn
from medr_jax.tokens.protocol import Role
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
    make_state: Callable[..., TrainState] = create_state,
) -> SFT:
    """State and step for a model, whose arrays the state takes over: of one with LoRA adapters,
    only those are trained.

    An abstract model with ``make_state=abstract_state`` gives the same step over an abstract
    state, to compile ahead of time.
    """
    graph, params, frozen = lora.split(model)
    optimizer = make_optimizer(optimizer_config, config.num_steps, params)
    state = make_state(params, optimizer, mesh, seed=config.seed, frozen=frozen)
    step = make_train_step(
        make_loss_fn(graph),
        optimizer,
        make_schedule(optimizer_config, config.num_steps, optimizer_config.learning_rate),
        state,
    )
    return SFT(graph, state, step)


def flops_per_token(
    config: ModelConfig, packed: PackedRows, data: DataConfig, *, adapters: bool
) -> float:
    """FLOPs that training needs per token that is not padding: 3 forward passes of one.

    Logits are needed where the loss has a target.
    Beside a frozen weight the backward pass has no gradient of the weight to compute, only that
    of its inputs: 2 forward passes. What the adapters themselves need is left out.
    """
    real = packed.segment_ids > 0
    mean_keys = float(np.mean(packed.positions[real] + 1.0))
    target = packed.loss_mask > 0
    if not data.train_thoughts:
        target &= packed.target_roles != Role.THOUGHT
    if data.context_weight:
        target = packed.target_roles != NO_TARGET
    predicted = float(np.mean(target[real]))
    return (2 if adapters else 3) * forward_flops(config, 1, mean_keys, predicted)
