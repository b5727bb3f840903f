"""Next-token loss of what the model must produce, with its parts named."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import Transformer
from medr_jax.tokens.protocol import MODEL_ROLES, Role
from medr_jax.training.step import LossFn, Ratio

ARGMAX_POSITIONS = 64
"""Positions of a row whose logits ``best_tokens`` holds at once."""


def make_loss_fn(graph: Any) -> LossFn:
    """Sum of weight * -log p(target) over sum of weights; ``graph`` is the model's.

    Positions without a weight do not reach the output layer.
    """

    def loss_fn(params: Any, batch: dict[str, jax.Array], rng: jax.Array) -> dict[str, Ratio]:
        model = nnx.merge(graph, params)
        hidden = _hidden(model, batch)
        weights = batch["loss_weights"]
        nll = -token_logprobs(model, hidden, batch["target_ids"], weights)
        return weighted_loss(nll, weights, batch["loss_mask"])

    return loss_fn


def make_eval_fn(graph: Any) -> LossFn:
    """The loss and, by role of the model, the share of targets that have the top logit."""

    def eval_fn(params: Any, batch: dict[str, jax.Array], rng: jax.Array) -> dict[str, Ratio]:
        model = nnx.merge(graph, params)
        hidden = _hidden(model, batch)
        nll = -token_logprobs(model, hidden, batch["target_ids"])
        ratios = weighted_loss(nll, batch["loss_weights"], batch["loss_mask"])
        right = best_tokens(model, hidden) == batch["target_ids"]
        for role in sorted(MODEL_ROLES):
            chosen = (batch["target_roles"] == int(role)) & (batch["loss_mask"] > 0)
            ratios[f"token_accuracy/{Role(role).name.lower()}"] = Ratio(
                jnp.sum(right & chosen, dtype=jnp.float32), jnp.sum(chosen, dtype=jnp.float32)
            )
        return ratios

    return eval_fn


def weighted_loss(
    nll: Float[Array, "*batch"], weights: Float[Array, "*batch"], mask: Int[Array, "*batch"]
) -> dict[str, Ratio]:
    """``loss`` from each target's negative log-probability (nats), and its parts.

    ``loss/model``: unweighted mean over what the model must produce (mask 1);
    ``loss/context``: over all else that carries a weight.
    """
    counted = weights > 0
    model = (counted & (mask > 0)).astype(nll.dtype)
    context = (counted & (mask == 0)).astype(nll.dtype)
    parts = {"loss": weights, "loss/model": model, "loss/context": context}
    return {name: Ratio(jnp.sum(part * nll), jnp.sum(part)) for name, part in parts.items()}


def best_tokens(model: Transformer, hidden: Float[Array, "B T D"]) -> Int[Array, "B T"]:
    """Token of the largest logit at each position."""
    by_position = jax.lax.map(
        lambda hidden_BD: jnp.argmax(model.logits(hidden_BD), axis=-1),
        hidden.swapaxes(0, 1),
        batch_size=ARGMAX_POSITIONS,
    )
    return by_position.swapaxes(0, 1)


def _hidden(model: Transformer, batch: dict[str, jax.Array]) -> jax.Array:
    return model(batch["token_ids"], batch["positions"], batch["segment_ids"])
