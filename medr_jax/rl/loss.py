"""The policy-gradient loss, as small functions of per-token arrays.

Arrays are (B, T) over packed rows: position t predicts the token that the policy sampled, and
``mask_BT`` is 1 exactly where it did. Elsewhere log-probabilities mean nothing (the sampler has
none there), so every function masks before it computes. ``segment_ids_BT`` tells the rollouts of
a row apart; 0 is padding. Symbols: pi_theta = ``logprobs``, pi_old = ``old_logprobs``,
pi_ref = ``ref_logprobs``, r_t(theta) = the ratio, A_t = ``advantages``,
epsilon = ``clip_eps_low/high``, beta = ``kl_coef``.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from medr_jax.rl.config import KL, KLPlace, LossAgg, OffPolicy, RatioLevel, RLConfig
from medr_jax.training.step import Ratio

Tokens = Float[Array, "B T"]

RATIO_TAILS = (0.5, 0.8, 1.2, 2.0)
"""Points at which the share of ratios further from 1 is counted: a mean would hide the tail."""


def difference(logprobs_BT: Tokens, others_BT: Tokens, mask_BT: Tokens) -> Tokens:
    """log(pi / other) where the policy sampled, 0 elsewhere, whatever stands there."""
    return jnp.where(mask_BT > 0, logprobs_BT - jnp.where(mask_BT > 0, others_BT, 0.0), 0.0)


def policy_ratio(
    log_ratio_BT: Tokens, mask_BT: Tokens, segment_ids_BT: Int[Array, "B T"], level: RatioLevel
) -> Tokens:
    """r_t = pi_theta / pi_old of each token, or one value for all tokens of a rollout.

    sequence: s_i = (pi_theta(y_i) / pi_old(y_i))^(1 / |y_i|), the geometric mean over the
    rollout's tokens (GSPO, arXiv:2507.18071 eq. 7). Its gradient with respect to a token is
    s_i / |y_i| times that of the token's log-probability.
    """
    if level is RatioLevel.sequence:
        counts_BT = segment_sums(mask_BT, segment_ids_BT)
        log_ratio_BT = segment_sums(log_ratio_BT, segment_ids_BT) / jnp.maximum(counts_BT, 1.0)
    return jnp.exp(log_ratio_BT)


def clipped_objective(ratio_BT: Tokens, advantages_BT: Tokens, low: float, high: float) -> Tokens:
    """min(r A, clip(r, 1 - low, 1 + high) A), PPO (arXiv:1707.06347 eq. 7).

    ``high`` above ``low`` is clip-higher (DAPO, arXiv:2503.14476 eq. 10).
    """
    clipped_BT = jnp.clip(ratio_BT, 1.0 - low, 1.0 + high)
    return jnp.minimum(ratio_BT * advantages_BT, clipped_BT * advantages_BT)


def is_clipped(
    ratio_BT: Tokens, advantages_BT: Tokens, low: float, high: float
) -> tuple[Array, Array]:
    """Where the objective is cut off (its gradient is 0): below and above."""
    below = (ratio_BT < 1.0 - low) & (advantages_BT < 0)
    return below, (ratio_BT > 1.0 + high) & (advantages_BT > 0)


def kl_estimate(log_ratio_BT: Tokens, kind: KL) -> Tokens:
    """KL(pi || ref) at tokens drawn from pi; ``log_ratio`` d = log pi - log ref.

    k1 = d, unbiased; k2 = d^2 / 2; k3 = exp(-d) - 1 + d, unbiased and never negative (Schulman,
    http://joschu.net/blog/kl-approx.html). GRPO (arXiv:2402.03300 eq. 4) puts k3 in the loss.
    """
    if kind is KL.k1:
        return log_ratio_BT
    if kind is KL.k2:
        return 0.5 * log_ratio_BT**2
    if kind is KL.k3:
        return jnp.exp(-log_ratio_BT) - 1.0 + log_ratio_BT
    return jnp.zeros_like(log_ratio_BT)


def truncated_weights(
    old_logprobs_BT: Tokens, sampler_logprobs_BT: Tokens, mask_BT: Tokens, cap: float
) -> Tokens:
    """min(pi_old / pi_sampler, cap) per token, a constant to the gradient; 1 off the mask.

    Truncated importance sampling for a sampler that is not quite the trainer's pi_old.
    Environment tokens were sampled by nobody: they have no ratio.
    """
    log_ratio_BT = difference(old_logprobs_BT, sampler_logprobs_BT, mask_BT)
    return jax.lax.stop_gradient(jnp.minimum(jnp.exp(log_ratio_BT), cap))


def aggregate(
    values_BT: Tokens,
    mask_BT: Tokens,
    segment_ids_BT: Int[Array, "B T"],
    agg: LossAgg,
    constant: int = 1,
) -> Ratio:
    """Total and count, whose quotient over the whole optimizer step is the mean.

    token: sum of tokens / number of tokens (DAPO). sequence: mean over rollouts of each one's
    mean over its tokens (GRPO): a token of a long rollout counts less. constant: sum of tokens /
    (rollouts * constant), Dr. GRPO: no token counts less. A rollout without a masked token is
    not counted.
    """
    mask_BT = mask_BT.astype(values_BT.dtype)
    values_BT = jnp.where(mask_BT > 0, values_BT, 0.0)
    if agg is LossAgg.token:
        return Ratio(jnp.sum(values_BT), jnp.sum(mask_BT))
    per_token_BT = mask_BT / jnp.maximum(segment_sums(mask_BT, segment_ids_BT), 1.0)
    num_rollouts = jnp.sum(per_token_BT)  # each one's tokens add up to 1
    if agg is LossAgg.sequence:
        return Ratio(jnp.sum(values_BT * per_token_BT), num_rollouts)
    return Ratio(jnp.sum(values_BT), num_rollouts * constant)


def segment_sums(values_BT: Tokens, segment_ids_BT: Int[Array, "B T"]) -> Tokens:
    """At each position the sum over its segment of its row; padding is a segment too."""

    def row(values_T: Array, ids_T: Array) -> Array:
        return jax.ops.segment_sum(values_T, ids_T, num_segments=ids_T.shape[0] + 1)[ids_T]

    return jax.vmap(row)(values_BT, segment_ids_BT)


def policy_loss(
    logprobs_BT: Tokens, entropy_BT: Tokens | None, batch: dict[str, Array], config: RLConfig
) -> dict[str, Ratio]:
    """``loss`` to minimise and its parts, from one micro-batch.

    loss = -objective + beta KL(pi_theta || pi_ref) - entropy_coef H, aggregated together.
    """
    mask_BT = batch["loss_mask"].astype(jnp.float32)
    advantages_BT, segments_BT = batch["advantages"], batch["segment_ids"]
    log_ratio_BT = difference(logprobs_BT, batch["old_logprobs"], mask_BT)
    ratio_BT = policy_ratio(log_ratio_BT, mask_BT, segments_BT, config.ratio_level)
    low, high = config.clip_eps_low, config.clip_eps_high
    objective_BT = ratio_BT * advantages_BT
    if config.clip:
        objective_BT = clipped_objective(ratio_BT, advantages_BT, low, high)
    if config.off_policy is OffPolicy.truncated_is:
        objective_BT = objective_BT * truncated_weights(
            batch["old_logprobs"], batch["sampler_logprobs"], mask_BT, config.is_cap
        )
    terms = {"loss/policy": -objective_BT}
    if config.kl is not KL.none and config.kl_place is KLPlace.loss:
        log_ref_BT = difference(logprobs_BT, batch["ref_logprobs"], mask_BT)
        terms["loss/kl"] = config.kl_coef * kl_estimate(log_ref_BT, config.kl)
    if entropy_BT is not None and config.entropy_coef:
        terms["loss/entropy"] = -config.entropy_coef * entropy_BT
    terms["loss"] = sum(terms.values())

    ratios = {
        name: aggregate(values, mask_BT, segments_BT, config.loss_agg, config.tokens_constant)
        for name, values in terms.items()
    }
    return ratios | ratio_tails(ratio_BT, advantages_BT, mask_BT, config)


def ratio_tails(
    ratio_BT: Tokens, advantages_BT: Tokens, mask_BT: Tokens, config: RLConfig
) -> dict[str, Ratio]:
    """Shares of sampled tokens whose ratio is far from 1, and of those that clipping cuts off."""
    below, above = is_clipped(ratio_BT, advantages_BT, config.clip_eps_low, config.clip_eps_high)
    shares = {"clipped/low": below, "clipped/high": above}
    for point in RATIO_TAILS:
        name = f"ratio_below/{point}" if point < 1 else f"ratio_above/{point}"
        shares[name] = ratio_BT < point if point < 1 else ratio_BT > point
    count = jnp.sum(mask_BT)
    return {
        name: Ratio(jnp.sum(jnp.where(mask_BT > 0, share, False), dtype=jnp.float32), count)
        for name, share in shares.items()
    }
