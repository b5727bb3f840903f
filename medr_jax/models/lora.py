"""LoRA: a frozen model with small trained matrices beside some of its weights.

y = x W + (alpha / rank) (x A) B   (Hu et al., arXiv:2106.09685); their r = our ``rank``, their
A = our ``down``, their B = our ``up``. B starts as zeros, so step 0 is the base model.
"""

import fnmatch
import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float

from medr_jax import sharding
from medr_jax.models.precision import exact
from medr_jax.models.transformer import Transformer

TARGETS = (
    *("attention.query", "attention.key", "attention.value", "attention.out"),
    *("mlp.gate", "mlp.up", "mlp.down"),
)
"""Weights of a layer that can have an adapter: ``layers.<target>``."""


@dataclass(kw_only=True, slots=True)
class LoraConfig:
    """Which weights get adapters, and how large they are. ``rank=0`` trains all parameters."""

    rank: int = 0
    alpha: float = 32.0  # the adapter's output is scaled by alpha / rank
    targets: list[str] = field(default_factory=lambda: ["attention.*", "mlp.*"])
    """Patterns (``*``, ``?``) over ``TARGETS``."""

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise ValueError(f"lora.rank={self.rank}: must not be negative; 0 trains everything")
        if not self.alpha > 0:
            raise ValueError(f"lora.alpha={self.alpha}: must be above 0")
        for pattern in self.targets:
            if not fnmatch.filter(TARGETS, pattern):
                raise ValueError(
                    f"lora.targets: {pattern!r} matches nothing; patterns are matched against "
                    f"{', '.join(TARGETS)}"
                )
        if not self.targets:
            raise ValueError("lora.targets is empty; use lora=none to train all parameters")

    @property
    def enabled(self) -> bool:
        """Whether only adapters are trained."""
        return self.rank > 0

    def chosen(self) -> list[str]:
        """The targets that the patterns match, in the order of ``TARGETS``."""
        return [
            target
            for target in TARGETS
            if any(fnmatch.fnmatchcase(target, pattern) for pattern in self.targets)
        ]


class AdapterParam(nnx.Param):
    """A trained array of a model whose other parameters are frozen."""


class Adapter(nnx.Module):
    """(x A) B * scale for a weight of shape (*inputs, *outputs)."""

    def __init__(
        self, shape: tuple[int, ...], axes: tuple[str, ...], config: LoraConfig, rngs: nnx.Rngs
    ):
        split = 1 if axes[0] == "embed" else len(axes) - 1
        rank = config.rank
        self.scale = config.alpha / rank
        # Uniform with the variance 1 / (3 * inputs), as the paper's code and PEFT have it.
        bound = math.prod(shape[:split]) ** -0.5
        self.down = AdapterParam(
            jax.random.uniform(rngs.params(), (*shape[:split], rank), minval=-bound, maxval=bound),
            axes=(*axes[:split], "rank"),
        )
        self.up = AdapterParam(jnp.zeros((rank, *shape[split:])), axes=("rank", *axes[split:]))

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        down, up = self.down[...].astype(x.dtype), self.up[...].astype(x.dtype)
        hidden = jnp.tensordot(x, down, axes=down.ndim - 1)
        return jnp.tensordot(hidden, up, axes=1) * self.scale

    def product(self) -> Float[Array, "..."]:
        """A B * scale: what the adapter adds to its weight, of a stack of layers."""
        down, up = self.down[...], self.up[...]
        rank = down.shape[-1]
        with exact(down.dtype):
            flat = down.reshape(down.shape[0], -1, rank) @ up.reshape(up.shape[0], rank, -1)
        return (flat * self.scale).reshape(*down.shape[:-1], *up.shape[2:])


def attach(model: Transformer, config: LoraConfig, mesh: Mesh, seed: int) -> Transformer:
    """The same model, its arrays included, with adapters sharded like their weights.

    The model may be abstract: then so are the adapters.

    Raises:
        ValueError: the model has none of the targets.
    """

    def make(rng: jax.Array) -> nnx.Dict:
        return _adapters(model, config, nnx.Rngs(params=rng))

    rng = jax.random.fold_in(jax.random.key(seed), 1)  # the base model's was drawn from the seed
    graph, shapes = nnx.split(nnx.eval_shape(make, rng))
    if not jax.tree.leaves(shapes):
        raise ValueError(f"lora.targets={config.targets}: this model has none of these weights")
    layout = sharding.shardings(shapes, mesh)
    if isinstance(jax.tree.leaves(nnx.state(model))[0], jax.ShapeDtypeStruct):
        state = sharding.abstract_arrays(shapes, layout)
    else:
        state = jax.jit(lambda rng: nnx.state(make(rng)), out_shardings=layout)(rng)
    for module, adapters in nnx.merge(graph, state).items():
        getattr(model.layers, module).adapters = adapters
    return model


def _adapters(model: Transformer, config: LoraConfig, rngs: nnx.Rngs) -> nnx.Dict:
    """{"attention": {"query": adapter, ...}, ...}, each stacked over the layers."""
    found: dict[str, dict[str, nnx.Param]] = {}
    for target in config.chosen():
        module, leaf = target.split(".")
        weight = getattr(getattr(model.layers, module), leaf, None)
        if weight is not None:
            found.setdefault(module, {})[leaf] = weight

    @nnx.split_rngs(splits=model.config.num_layers)
    @nnx.vmap(transform_metadata={nnx.PARTITION_NAME: None})
    def stacked(rngs: nnx.Rngs) -> nnx.Dict:
        made = {
            module: nnx.Dict({leaf: one(weight, rngs) for leaf, weight in weights.items()})
            for module, weights in found.items()
        }
        return nnx.Dict(made)

    def one(weight: nnx.Param, rngs: nnx.Rngs) -> Adapter:
        shape = weight.get_value().shape[1:]  # of one layer
        return Adapter(shape, tuple(weight.get_metadata()["axes"]), config, rngs)

    return stacked(rngs)


def split(model: Transformer) -> tuple[Any, nnx.State, nnx.State | tuple]:
    """Graph, trained parameters, and frozen ones: () where all are trained."""
    if not has_adapters(model):
        return (*nnx.split(model), ())
    return nnx.split(model, AdapterParam, ...)


def has_adapters(model: Transformer) -> bool:
    """Whether ``attach`` was called on it."""
    return any(module.adapters is not None for module in (model.layers.attention, model.layers.mlp))


def merge(model: Transformer) -> Transformer:
    """The plain model that computes the same: W + A B * scale in float32, then in W's dtype.

    ``model``'s adapters are consumed; its other arrays are kept.
    """
    for module in (model.layers.attention, model.layers.mlp):
        for leaf, adapter in (module.adapters or {}).items():
            weight = getattr(module, leaf)
            weight[...] = _added(weight[...], adapter)
        module.adapters = None
    return model


@nnx.jit
def _added(weight: jax.Array, adapter: Adapter) -> jax.Array:
    return (weight.astype(jnp.float32) + adapter.product()).astype(weight.dtype)
