"""From logits to a token, with noise that belongs to the rollout and not to its slot."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from medr_jax.models.logprobs import NEVER, policy_logits


@dataclass(kw_only=True, slots=True)
class SamplingConfig:
    """The distribution that tokens are drawn from."""

    temperature: float = 1.0  # 0 = the most likely token
    top_p: float = 1.0  # 1 = off
    top_k: int = 0  # 0 = off
    for_training: bool = False  # refuses what would bias an importance ratio

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"sampling.temperature={self.temperature}; it must be 0 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"sampling.top_p={self.top_p}; it must be in (0, 1]; 1 is off")
        if self.top_k < 0:
            raise ValueError(f"sampling.top_k={self.top_k}; it must be 0 (off) or more")
        if self.for_training and (self.top_p < 1 or self.top_k or not self.temperature):
            raise ValueError(
                f"sampling: top_p={self.top_p}, top_k={self.top_k}, temperature="
                f"{self.temperature} with for_training; a truncated distribution biases the "
                "policy ratio: set top_p=1, top_k=0 and a temperature above 0"
            )


def rollout_words(rollout_id: int | str) -> np.ndarray:
    """64 bits that stand for the rollout in its noise, as two uint32: the id's sha256."""
    digest = hashlib.sha256(str(rollout_id).encode()).digest()
    return np.frombuffer(digest[:8], dtype="<u4").astype(np.uint32)


def turn_keys(
    seed: int, rollouts_B2: UInt32[Array, "B 2"], turns_B: Int[Array, " B"]
) -> Key[Array, " B"]:
    """One PRNG key per row: seed, rollout and turn folded in, in that order."""

    def one(words: jax.Array, turn: jax.Array) -> jax.Array:
        rng = jax.random.fold_in(jax.random.key(seed), words[0])
        return jax.random.fold_in(jax.random.fold_in(rng, words[1]), turn)

    return jax.vmap(one)(rollouts_B2, turns_B)


def sample(
    logits_BV: Float[Array, "B V"],
    rngs_B: Key[Array, " B"],
    positions_B: Int[Array, " B"],
    config: SamplingConfig,
    banned_ids: Sequence[int] = (),
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """A token per row and its log-probability under the distribution it was drawn from.

    One uniform number a token, keyed by its ``position``, picks a place in the cumulative
    distribution. At temperature 0 the logprob is that of the untempered distribution: there it
    is the model's own confidence, while the distribution drawn from would always say 0.
    """
    logits_BV = policy_logits(logits_BV, config.temperature or 1.0, banned_ids)
    logits_BV = _truncate(logits_BV, config)
    if config.temperature:
        rngs_B = jax.vmap(jax.random.fold_in)(rngs_B, positions_B)
        tokens_B = _place(logits_BV, jax.vmap(jax.random.uniform)(rngs_B))
    else:
        tokens_B = jnp.argmax(logits_BV, axis=-1)
    chosen_B = jnp.take_along_axis(logits_BV, tokens_B[:, None], axis=-1)[:, 0]
    return tokens_B.astype(jnp.int32), chosen_B - jax.nn.logsumexp(logits_BV, axis=-1)


def _place(logits_BV: Float[Array, "B V"], uniform_B: Float[Array, " B"]) -> Int[Array, " B"]:
    """The token in whose part of [0, 1) the number lies.

    Parts lie in order of id. First the block of about sqrt(V) ids is looked for, then the id
    within it: no sum over the vocabulary depends on the one before it, and no other random
    number is made.
    """
    B, V = logits_BV.shape
    size = math.isqrt(V - 1) + 1
    weights_BV = jnp.exp(logits_BV - jnp.max(logits_BV, axis=-1, keepdims=True))
    weights_BnK = jnp.pad(weights_BV, ((0, 0), (0, -V % size))).reshape(B, -1, size)
    blocks_Bn = jnp.sum(weights_BnK, axis=-1)
    place_B = uniform_B * jnp.sum(blocks_Bn, axis=-1)
    block_B, place_B = _within(blocks_Bn, place_B)
    chosen_BK = jnp.take_along_axis(weights_BnK, block_B[:, None, None], axis=1)[:, 0]
    return block_B * size + _within(chosen_BK, place_B)[0]


def _within(
    weights_Bn: Float[Array, "B n"], place_B: Float[Array, " B"]
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """The part that holds the place, and the place within it; never a part of no weight."""
    before_Bn = jnp.cumsum(weights_Bn, axis=-1) - weights_Bn
    reached_Bn = (weights_Bn > 0) & (before_Bn <= place_B[:, None])
    number = jnp.arange(weights_Bn.shape[-1])
    first_B = jnp.argmax(weights_Bn > 0, axis=-1)  # where rounding says that none is reached
    part_B = jnp.maximum(jnp.max(jnp.where(reached_Bn, number, 0), axis=-1), first_B)
    before_B = jnp.take_along_axis(before_Bn, part_B[:, None], axis=-1)[:, 0]
    return part_B, place_B - before_B


def _truncate(logits_BV: jax.Array, config: SamplingConfig) -> jax.Array:
    if 0 < config.top_k < logits_BV.shape[-1]:
        smallest = jax.lax.top_k(logits_BV, config.top_k)[0][:, -1:]
        logits_BV = jnp.where(logits_BV < smallest, NEVER, logits_BV)
    if config.top_p < 1:
        descending = jnp.sort(logits_BV, axis=-1, descending=True)
        probabilities = jax.nn.softmax(descending, axis=-1)
        # A token stays if those before it have not reached top_p: the first always does.
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        smallest = jnp.min(jnp.where(before < config.top_p, descending, jnp.inf), -1, keepdims=True)
        logits_BV = jnp.where(logits_BV < smallest, NEVER, logits_BV)
    return logits_BV
