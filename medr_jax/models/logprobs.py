"""Log-probabilities of given tokens without ever holding all logits.

SFT and RL losses are made of these; the sampler's own logprobs (``sampling.logits``) agree.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from medr_jax.models.transformer import Transformer

NEVER = -1e30
"""Logit of a token that must not be sampled; finite, so that no gradient becomes NaN."""


def policy_logits(
    logits: Float[Array, "*batch V"], temperature: float = 1.0, banned_ids: Sequence[int] = ()
) -> Float[Array, "*batch V"]:
    """Logits of the distribution that is sampled from: divided by the temperature, bans out."""
    if temperature != 1.0:
        logits = logits / temperature
    if len(banned_ids):
        banned = jnp.zeros((logits.shape[-1],), bool).at[jnp.asarray(banned_ids)].set(True)
        logits = jnp.where(banned, NEVER, logits)
    return logits


def token_logprobs(
    model: Transformer,
    hidden: Float[Array, "*batch D"],
    targets: Int[Array, "*batch"],
    *,
    chunk_size: int = 512,
    temperature: float = 1.0,
    banned_ids: Sequence[int] = (),
) -> Float[Array, "*batch"]:
    """log p(target | hidden) in float32, ``chunk_size`` tokens of logits at a time.

    logits[target] - logsumexp(logits), of the same distribution the sampler draws from when
    ``temperature`` and ``banned_ids`` are the sampler's. The backward pass computes each chunk's
    logits again, so memory is chunk_size * vocab_size forward and backward.
    """

    @jax.checkpoint
    def chunk(inputs: tuple[jax.Array, jax.Array]) -> jax.Array:
        hidden_ND, targets_N = inputs
        logits_NV = policy_logits(model.logits(hidden_ND), temperature, banned_ids)
        # A masked sum, not a gather: it stays local where the vocabulary is split over devices.
        chosen = jnp.arange(logits_NV.shape[-1]) == targets_N[:, None]
        target_N = jnp.sum(jnp.where(chosen, logits_NV, 0.0), axis=-1)
        return target_N - jax.nn.logsumexp(logits_NV, axis=-1)

    flat = hidden.reshape(-1, hidden.shape[-1])
    count = flat.shape[0]
    num_chunks = -(-count // chunk_size)
    size = -(-count // num_chunks)
    padding = num_chunks * size - count
    chunks = jnp.pad(flat, ((0, padding), (0, 0))).reshape(num_chunks, size, -1)
    ids = jnp.pad(targets.reshape(-1), (0, padding)).reshape(num_chunks, size)
    logprobs = jax.lax.map(chunk, (chunks, ids))
    return logprobs.reshape(-1)[:count].reshape(targets.shape)


class Selected(NamedTuple):
    """The positions of a batch that carry a loss, gathered into ``capacity`` places."""

    hidden: jax.Array  # (capacity, D)
    targets: jax.Array  # (capacity,) int
    weights: jax.Array  # (capacity,), 0 in unused places
    num_dropped: jax.Array  # () int: positions with a loss that did not fit; must be 0


def select_trained(
    hidden_BTD: Float[Array, "B T D"],
    targets_BT: Int[Array, "B T"],
    weights_BT: Float[Array, "B T"],
    capacity: int,
) -> Selected:
    """Gathers the positions of non-zero weight, so that no others reach the output layer.

    ``capacity`` is static; the caller chooses it from the data and checks ``num_dropped``.
    """
    weights = weights_BT.reshape(-1)
    trained = weights != 0
    (places,) = jnp.nonzero(trained, size=capacity, fill_value=0)
    used = jnp.arange(capacity) < jnp.sum(trained)
    return Selected(
        hidden=hidden_BTD.reshape(weights.shape[0], -1)[places],
        targets=targets_BT.reshape(-1)[places],
        weights=jnp.where(used, weights[places], 0.0),
        num_dropped=jnp.maximum(jnp.sum(trained) - capacity, 0),
    )
