"""AdamW and Muon, their schedule, and which parameters each rule applies to."""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from medr_jax.training.state import is_variable


class OptimizerName(enum.Enum):
    """``muon`` orthogonalises the update of matrices and leaves the rest to AdamW."""

    adamw = "adamw"
    muon = "muon"


class Schedule(enum.Enum):
    """How the learning rate falls after the warm-up."""

    cosine = "cosine"
    linear = "linear"
    constant = "constant"


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    """One optimizer step; the defaults are the tiny model's."""

    name: OptimizerName = OptimizerName.adamw
    learning_rate: float = 3e-3  # peak; with Muon, of what Muon does not take
    muon_learning_rate: float = 0.02  # peak, for matrices
    schedule: Schedule = Schedule.cosine
    warmup_steps: int = 40
    final_fraction: float = 0.1  # of the peak, reached at training.num_steps
    weight_decay: float = 0.05  # times the learning rate, on matrices only
    decay_embeddings: bool = False  # also on the embedding and the output head
    clip_norm: float = 1.0  # of the whole gradient; 0 = off
    b1: float = 0.9
    b2: float = 0.95
    eps: float = 1e-8
    muon_momentum: float = 0.95
    muon_iterations: int = 5  # of Newton-Schulz

    def __post_init__(self) -> None:
        for name in ("learning_rate", "muon_learning_rate", "eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"optimizer.{name}={getattr(self, name)}: must be above 0")
        for name in ("warmup_steps", "weight_decay", "clip_norm"):
            if getattr(self, name) < 0:
                raise ValueError(f"optimizer.{name}={getattr(self, name)}: must not be negative")
        for name in ("b1", "b2", "muon_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"optimizer.{name}={getattr(self, name)}: must be in [0, 1)")
        if not 0 <= self.final_fraction <= 1:
            raise ValueError(
                f"optimizer.final_fraction={self.final_fraction}: must be between 0 and 1"
            )


def make_schedule(
    config: OptimizerConfig, num_steps: int, peak: float
) -> Callable[[jax.typing.ArrayLike], jax.Array]:
    """Learning rate of update ``step`` (from 0): linear warm-up, then down to the fraction.

    Warm-up reaches the peak at update ``warmup_steps - 1``; the last update has
    ``final_fraction * peak``.
    """
    warmup = config.warmup_steps

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        done = jnp.clip((step - warmup + 1) / max(num_steps - warmup, 1), 0.0, 1.0)
        if config.schedule is Schedule.cosine:
            done = 0.5 - 0.5 * jnp.cos(jnp.pi * done)
        elif config.schedule is Schedule.constant:
            done = 0.0
        fraction = 1.0 - (1.0 - config.final_fraction) * done
        return peak * jnp.where(step < warmup, (step + 1) / max(warmup, 1), fraction)

    return schedule


def make_optimizer(
    config: OptimizerConfig, num_steps: int, params: Any
) -> optax.GradientTransformation:
    """The update rule for parameters like ``params`` (an ``nnx.State``, abstract or not)."""

    def decayed(tree: Any) -> Any:
        return map_params(
            lambda axes, _: _is_matrix(axes) or (config.decay_embeddings and "vocab" in axes), tree
        )

    rule = optax.chain(
        optax.scale_by_adam(config.b1, config.b2, config.eps),
        optax.add_decayed_weights(config.weight_decay, decayed),
        optax.scale_by_learning_rate(make_schedule(config, num_steps, config.learning_rate)),
    )
    if config.name is OptimizerName.muon:
        labels = map_params(lambda axes, _: "muon" if _is_matrix(axes) else "adamw", params)
        rule = optax.partition({"muon": _muon(config, num_steps, params), "adamw": rule}, labels)
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.chain(clip, rule)


def _muon(config: OptimizerConfig, num_steps: int, params: Any) -> optax.GradientTransformation:
    """Momentum, orthogonalised per matrix, times sqrt(max(1, outputs / inputs)).

    Keller Jordan's Muon (https://kellerjordan.github.io/posts/muon, 2024). Stacked layers are
    separate matrices: without explicit dimension numbers optax would not treat them as any.
    """
    dims = map_params(
        lambda axes, ndim: matrix_dims(axes, ndim) if _is_matrix(axes) else optax.MaskedNode(),
        params,
    )
    return optax.chain(
        scale_by_muon(
            ns_steps=config.muon_iterations,
            beta=config.muon_momentum,
            weight_dimension_numbers=dims,
        ),
        optax.stateless(lambda updates, _: jax.tree.map(_scale_by_width, updates, dims)),
        optax.add_decayed_weights(config.weight_decay),
        optax.scale_by_learning_rate(make_schedule(config, num_steps, config.muon_learning_rate)),
    )


def _scale_by_width(update: jax.Array, dims: MuonDimensionNumbers) -> jax.Array:
    inputs, outputs = (
        math.prod(update.shape[axis] for axis in axes)
        for axes in (dims.reduction_axis, dims.output_axis)
    )
    return update * max(1.0, outputs / inputs) ** 0.5


def map_params(function: Callable[[tuple[str, ...], int], Any], params: Any) -> Any:
    """``function(logical axes, number of dimensions)`` of each parameter, in a like tree."""

    def one(leaf: Any) -> Any:
        if not is_variable(leaf):
            return leaf
        value = leaf.get_value()
        if isinstance(value, optax.MaskedNode):
            return leaf
        axes = tuple(leaf.get_metadata().get("axes", ()))
        return leaf.replace(function(axes, value.ndim))

    return jax.tree.map(one, params, is_leaf=is_variable)


def _is_matrix(axes: tuple[str, ...]) -> bool:
    """Maps the residual stream to something else or back, or is one of the two matrices of an
    adapter: no bias, norm, tap or embedding."""
    if "rank" in axes:
        return True
    return len(axes) > 1 and "embed" in axes and not {"vocab", "taps"} & set(axes)


def matrix_dims(axes: tuple[str, ...], ndim: int) -> MuonDimensionNumbers:
    """Which dimensions of a (possibly stacked) matrix are summed over and which come out.

    ("embed", "heads", "head_dim") maps embed to heads x head_dim; ("mlp", "embed") back.
    """
    stacked = ndim - len(axes)
    embed = axes.index("embed")
    assert embed in (0, len(axes) - 1), f"axes {axes}: embed stands between others"
    split = 1 if embed == 0 else len(axes) - 1
    dims = tuple(range(stacked, ndim))
    return MuonDimensionNumbers(reduction_axis=dims[:split], output_axis=dims[split:])
