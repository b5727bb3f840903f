"""Log-probabilities of given tokens without ever holding all logits.

SFT and RL losses are made of these; the sampler's own logprobs (``sampling.logits``) agree.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from medr_jax.models.transformer import Transformer
from medr_jax.sharding import constrain, num_shards

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
    mask: Num[Array, "*batch"] | None = None,
    *,
    chunk_size: int = 512,
    temperature: float = 1.0,
    banned_ids: Sequence[int] = (),
) -> Float[Array, "*batch"]:
    """log p(target | hidden) in float32, about ``chunk_size`` tokens of logits at a time.

    logits[target] - logsumexp(logits), of the same distribution the sampler draws from when
    ``temperature`` and ``banned_ids`` are the sampler's. The backward pass computes each chunk's
    logits again, so memory is chunk_size * vocab_size forward and backward, on each of the
    devices that the tokens are split over. Where ``mask`` is 0 the answer is 0 and no logits are
    computed, but for what fills a chunk up: the work goes with the number of wanted positions.
    """
    settings = Settings(chunk_size, temperature, banned_ids)
    return _by_chunks(model, hidden, targets, mask, _target_logprob, settings)


def token_logprobs_and_entropy(
    model: Transformer,
    hidden: Float[Array, "*batch D"],
    targets: Int[Array, "*batch"],
    mask: Num[Array, "*batch"] | None = None,
    *,
    chunk_size: int = 512,
    temperature: float = 1.0,
    banned_ids: Sequence[int] = (),
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """``token_logprobs`` and beside each the entropy (nats) of the distribution it is drawn from.

    H = logsumexp(logits) - sum_v p_v logits_v.
    """

    def both(logits_RCV: jax.Array, targets_RC: jax.Array) -> tuple[jax.Array, jax.Array]:
        normalizer_RC = jax.nn.logsumexp(logits_RCV, axis=-1)
        p_RCV = jnp.exp(logits_RCV - normalizer_RC[..., None])
        # A banned logit is huge and its probability exactly 0.
        mean_RC = jnp.sum(jnp.where(p_RCV > 0, p_RCV * logits_RCV, 0.0), axis=-1)
        return _target_logprob(logits_RCV, targets_RC), normalizer_RC - mean_RC

    settings = Settings(chunk_size, temperature, banned_ids)
    return _by_chunks(model, hidden, targets, mask, both, settings)


def _target_logprob(logits_RCV: jax.Array, targets_RC: jax.Array) -> jax.Array:
    # A masked sum, not a gather: it stays local where the vocabulary is split over devices.
    chosen = jnp.arange(logits_RCV.shape[-1]) == targets_RC[..., None]
    target_RC = jnp.sum(jnp.where(chosen, logits_RCV, 0.0), axis=-1)
    return target_RC - jax.nn.logsumexp(logits_RCV, axis=-1)


class Settings(NamedTuple):
    """How many logits at a time, and of which distribution."""

    chunk_size: int
    temperature: float
    banned_ids: Sequence[int]


def _by_chunks(
    model: Transformer,
    hidden: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None,
    reduce: Callable[[jax.Array, jax.Array], Any],
    settings: Settings,
) -> Any:
    """``reduce(logits, targets)``, of which only a chunk of logits exists at a time."""

    def compute(hidden_RCD: jax.Array, targets_RC: jax.Array) -> Any:
        hidden_RCD = constrain(hidden_RCD, "batch", "length", "activation")
        logits_RCV = policy_logits(
            model.logits(hidden_RCD), settings.temperature, settings.banned_ids
        )
        logits_RCV = constrain(logits_RCV, "batch", "length", "vocab")
        return reduce(logits_RCV, targets_RC)

    if mask is None or num_shards("length", hidden.shape[-2]) > 1:
        # Tokens of a row that lie on several devices stay where they are.
        values = _every_token(compute, hidden, targets, settings.chunk_size)
        return values if mask is None else jax.tree.map(lambda v: jnp.where(mask, v, 0), values)
    return _wanted_tokens(compute, hidden, targets, mask, settings.chunk_size)


def _every_token(
    compute: Callable[[jax.Array, jax.Array], Any],
    hidden: jax.Array,
    targets: jax.Array,
    chunk_size: int,
) -> Any:
    """``compute`` over all positions, a chunk at a time."""
    hidden_NTD, num_chunks = _rows_and_chunks(hidden, chunk_size)
    N, T = hidden_NTD.shape[:2]
    padding = -T % num_chunks

    def cut(rows: jax.Array) -> jax.Array:
        # Every num_chunks-th token, so that each chunk has some of every device's part of a row.
        rows = jnp.pad(rows, ((0, 0), (0, padding)) + ((0, 0),) * (rows.ndim - 2))
        return jnp.moveaxis(rows.reshape(N, -1, num_chunks, *rows.shape[2:]), 2, 0)

    def uncut(values: jax.Array) -> jax.Array:
        return jnp.moveaxis(values, 0, 2).reshape(N, -1)[:, :T].reshape(targets.shape)

    chunks = (cut(hidden_NTD), cut(targets.reshape(N, T)))
    values = jax.lax.map(jax.checkpoint(lambda chunk: compute(*chunk)), chunks)
    return jax.tree.map(uncut, values)


def _rows_and_chunks(hidden: jax.Array, chunk_size: int) -> tuple[jax.Array, int]:
    """``hidden`` as (rows, length, D), and into how many chunks the length is cut."""
    rows = hidden.reshape(-1, *hidden.shape[-2:]) if hidden.ndim > 2 else hidden[None]
    shards = num_shards("batch", rows.shape[0]) * num_shards("length", rows.shape[1])
    num_chunks = -(-rows.shape[0] * rows.shape[1] // (chunk_size * shards))
    if num_chunks > rows.shape[1]:  # many short rows: one long one
        rows = rows.reshape(1, -1, rows.shape[-1])
    return rows, num_chunks


def _wanted_tokens(
    compute: Callable[[jax.Array, jax.Array], Any],
    hidden: jax.Array,
    targets: jax.Array,
    mask: jax.Array,
    chunk_size: int,
) -> Any:
    """``compute`` where ``mask`` is not 0, and 0 elsewhere.

    The tokens of a device make one long row, the wanted ones first; chunks behind the last
    wanted token of all rows are passed over at run time.
    """
    num_rows = num_shards("batch", targets.size // targets.shape[-1])
    hidden_NTD = hidden.reshape(num_rows, -1, hidden.shape[-1])
    N, T = hidden_NTD.shape[:2]
    mask_NT = mask.reshape(N, T) != 0
    order_NT, place_NT = jax.vmap(_wanted_first)(mask_NT)
    num_chunks = -(-T // chunk_size)
    length = -(-T // num_chunks)
    used = -(-jnp.max(jnp.sum(mask_NT, axis=1)) // length)

    def cut(rows: jax.Array) -> jax.Array:
        rows = jax.vmap(_permuted)(rows, order_NT, place_NT)
        padding = ((0, 0), (0, num_chunks * length - T)) + ((0, 0),) * (rows.ndim - 2)
        rows = jnp.pad(rows, padding).reshape(N, num_chunks, length, *rows.shape[2:])
        return jnp.moveaxis(rows, 1, 0)

    def uncut(values: jax.Array) -> jax.Array:
        values_NT = jnp.moveaxis(values, 0, 1).reshape(N, -1)[:, :T]
        values_NT = jax.vmap(_permuted)(values_NT, place_NT, order_NT)
        return jnp.where(mask_NT, values_NT, 0).reshape(targets.shape)

    @jax.checkpoint
    def chunk(inputs: tuple[jax.Array, jax.Array, jax.Array]) -> Any:
        index, *tokens = inputs
        shapes = jax.eval_shape(compute, *tokens)
        nothing = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        return jax.lax.cond(index < used, compute, lambda *_: nothing, *tokens)

    chunks = (jnp.arange(num_chunks), cut(hidden_NTD), cut(targets.reshape(N, T)))
    return jax.tree.map(uncut, jax.lax.map(chunk, chunks))


def _wanted_first(mask_T: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The order that has the wanted tokens first, and each token's place in it."""
    wanted_T = jnp.cumsum(mask_T)
    others_T = wanted_T[-1] + jnp.cumsum(~mask_T)
    place_T = jnp.where(mask_T, wanted_T, others_T) - 1
    tokens_T = jnp.arange(mask_T.shape[0])
    return tokens_T.at[place_T].set(tokens_T, unique_indices=True), place_T


@jax.custom_vjp
def _permuted(rows: jax.Array, order: jax.Array, place: jax.Array) -> jax.Array:
    """``rows[order]``; its gradient is put back by the inverse, ``place``, without a scatter."""
    return rows[order]


_permuted.defvjp(
    lambda rows, order, place: (rows[order], place),
    lambda place, gradient: (gradient[place], None, None),
)
