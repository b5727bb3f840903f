"""The trust report: what an iteration's rollouts say about whether the run can be believed.

``measure`` gives numbers for the metrics file, ``require_sound`` stops a broken run before it
takes an optimizer step, let alone saves one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medr_jax.rl.rollout import Rollout
from medr_jax.tokens.ledger import NO_POLICY
from medr_jax.tokens.protocol import MODEL_ROLES
from medr_jax.types import Status

Groups = Sequence[Sequence[Rollout]]

PERCENTILES = (1, 50, 99)


@dataclass(kw_only=True, slots=True)
class TrustConfig:
    """Where a run is called broken. The defaults are for float32."""

    max_first_kl: float = 1e-6  # nats a token: policy against reference before the first step
    max_logprob_gap: float = 1e-4  # nats: sampler against trainer at any token; bfloat16: 2
    max_infra_failed: float = 0.5  # share of an iteration's rollouts that our side failed
    ratio_band: float = 0.2  # a ratio trainer / sampler further from 1 is out of band
    reference_every: int = 10  # iterations between looks at the KL to the reference where the
    # loss needs none; 0 = only at the first

    def __post_init__(self) -> None:
        for name in ("max_first_kl", "max_logprob_gap", "max_infra_failed", "ratio_band"):
            if not getattr(self, name) > 0:
                raise ValueError(f"rl.trust.{name}={getattr(self, name)}: must be above 0")
        if self.reference_every < 0:
            raise ValueError(
                f"rl.trust.reference_every={self.reference_every}: must be 0 (only at the "
                "first iteration) or more"
            )


class TrustError(ValueError):
    """A hard gate closed: the run is broken and going on would only hide it."""


def measure(
    groups: Groups, entropies: Iterable[np.ndarray], config: TrustConfig
) -> dict[str, float]:
    """Named numbers of one iteration; those with nothing to count are left out.

    ``entropies`` holds one array a valid rollout, aligned with its tokens. Rollouts that our
    side failed are counted, and left out of everything else.
    """
    everything = [rollout for group in groups for rollout in group]
    valid = [rollout for rollout in everything if rollout.valid]
    report = {"rollout/infra_failed": 1.0 - len(valid) / len(everything)}
    if not valid:
        return report
    entropy = [values[rollout.loss_mask] for rollout, values in zip(valid, entropies, strict=True)]
    report |= {"policy/entropy": float(np.mean(np.concatenate(entropy)))}
    report |= _outcomes(valid) | _group_shares(groups) | _rewards(valid)
    return report | _sampler_gap(valid, config) | _likelihoods(valid)


def _outcomes(valid: Sequence[Rollout]) -> dict[str, float]:
    shares: dict[str, Callable[[Rollout], float]] = {
        "exact_match": lambda rollout: rollout.terms.right,
        "tool_free": lambda rollout: not rollout.trajectory.num_tool_calls,
        "truncated": lambda rollout: rollout.truncated,
        "malformed": lambda rollout: rollout.trajectory.status is Status.MODEL_ERROR,
        "tool_calls": lambda rollout: rollout.trajectory.num_tool_calls,
        "sampled_tokens": lambda rollout: rollout.num_sampled,
    }
    report = {
        f"rollout/{name}": float(np.mean([function(rollout) for rollout in valid]))
        for name, function in shares.items()
    }
    for hops in sorted({rollout.trajectory.question.num_hops for rollout in valid}):
        right = [r.terms.right for r in valid if r.trajectory.question.num_hops == hops]
        report[f"rollout/exact_match/hops={hops}"] = float(np.mean(right))
    return report


def _group_shares(groups: Groups) -> dict[str, float]:
    right = [[rollout.terms.right for rollout in group if rollout.valid] for group in groups]
    dead = [not group[0].informative for group in groups]
    return {
        "group/dead": float(np.mean(dead)),
        "group/all_right": float(np.mean([bool(one) and all(one) for one in right])),
        "group/all_wrong": float(np.mean([not any(one) for one in right])),
    }


def _rewards(valid: Sequence[Rollout]) -> dict[str, float]:
    names = ("task", "expert", "efficiency", "format", "unsupported")
    report = {
        f"reward/{name}": float(np.mean([getattr(rollout.terms, name) for rollout in valid]))
        for name in names
    }
    rewards = [rollout.reward for rollout in valid]
    return report | {"reward/total": float(np.mean(rewards)), "reward/std": float(np.std(rewards))}


def _sampler_gap(valid: Sequence[Rollout], config: TrustConfig) -> dict[str, float]:
    """log pi_trainer - log pi_sampler over all sampled tokens: its tail, not its mean."""
    gaps = _sampled(valid, lambda rollout: rollout.old_logprobs - rollout.logprobs)
    if not len(gaps):
        return {}
    ratios = np.exp(gaps)
    report = {
        f"sampler/ratio_p{percent}": float(np.percentile(ratios, percent))
        for percent in PERCENTILES
    }
    return report | {
        "sampler/gap_mean": float(np.mean(np.abs(gaps))),
        "sampler/gap_p99": float(np.percentile(np.abs(gaps), 99)),
        "sampler/gap_max": float(np.max(np.abs(gaps))),
        "sampler/out_of_band": float(np.mean(np.abs(ratios - 1.0) > config.ratio_band)),
    }


def _likelihoods(valid: Sequence[Rollout]) -> dict[str, float]:
    """Log-likelihood a token of right and wrong rollouts, and the distance to the reference.

    The likelihood of right rollouts falling step by step comes before a collapse.
    """
    report = {}
    for name, right in (("right", True), ("wrong", False)):
        chosen = [rollout for rollout in valid if rollout.terms.right is right]
        values = _sampled(chosen, lambda rollout: rollout.old_logprobs)
        if len(values):
            report[f"policy/logprob_{name}"] = float(np.mean(values))
    known = [rollout for rollout in valid if rollout.ref_logprobs is not None]
    if known:
        gaps = _sampled(known, lambda rollout: rollout.old_logprobs - rollout.ref_logprobs)
        report["policy/reference_kl"] = float(np.mean(np.expm1(-gaps) + gaps))
    return report


def _sampled(rollouts: Sequence[Rollout], values: Callable[[Rollout], np.ndarray]) -> np.ndarray:
    """float64: values of all sampled tokens, one after the other."""
    parts = [np.asarray(values(rollout), float)[rollout.loss_mask] for rollout in rollouts]
    return np.concatenate(parts) if parts else np.zeros(0)


def require_sound(
    groups: Groups,
    report: Mapping[str, float],
    config: TrustConfig,
    *,
    policy_version: int,
    first: bool,
    gated: bool,
) -> None:
    """Stops a broken run. ``first``: no optimizer step was taken yet; ``gated``: shaped rewards
    are said to be gated by the outcome.

    Raises:
        TrustError: which gate closed, at which value, and where to look.
    """
    for group in groups:
        for rollout in group:
            if rollout.valid:
                audit_mask(rollout, policy_version)
        if gated:
            audit_shaping(group)
    for name, value in report.items():
        if not np.isfinite(value):
            raise TrustError(f"{name} is {value}: the policy or a reward is not finite")
    failed = report["rollout/infra_failed"]
    if failed > config.max_infra_failed:
        raise TrustError(
            f"rollout/infra_failed={failed:.2f}, above rl.trust.max_infra_failed="
            f"{config.max_infra_failed:g}: tools or engine are down; see the errors in the dump"
        )
    gap = report.get("sampler/gap_max", 0.0)
    if gap > config.max_logprob_gap:
        raise TrustError(
            f"sampler/gap_max={gap:.3g} nats, above rl.trust.max_logprob_gap="
            f"{config.max_logprob_gap:g}: sampler and trainer do not see the same weights, "
            "history or distribution; old caches, re-tokenised history and top_p do this"
        )
    kl = report.get("policy/reference_kl", 0.0)
    if first and kl > config.max_first_kl:
        raise TrustError(
            f"policy/reference_kl={kl:.3g} nats before the first step, above "
            f"rl.trust.max_first_kl={config.max_first_kl:g}: policy and reference are to be the "
            "same weights then"
        )


def audit_mask(rollout: Rollout, policy_version: int) -> None:
    """The loss mask is 1 exactly where this policy sampled a token of the model's own roles.

    Raises:
        TrustError: naming rollout, token and turn.
    """
    expected = np.isin(rollout.roles, sorted(MODEL_ROLES))
    sampled = rollout.policy_versions != NO_POLICY
    checks = {
        "its role is the model's": expected,
        "a policy sampled it": sampled,
        "it has the sampler's log-probability": np.isfinite(rollout.logprobs),
        f"policy version {policy_version} sampled it": rollout.policy_versions == policy_version,
    }
    for what, holds in checks.items():
        wrong = np.flatnonzero(holds != rollout.loss_mask)
        if len(wrong):
            place = int(wrong[0])
            raise TrustError(
                f"rollout {rollout.rollout_id}: mask violation at token {place} (turn "
                f"{int(rollout.turns[place])}): in the loss: {bool(rollout.loss_mask[place])}, "
                f"{what}: {bool(holds[place])}; {len(wrong)} tokens in all"
            )


def audit_shaping(group: Sequence[Rollout]) -> None:
    """No rollout of a group in which all are wrong has an advantage.

    Raises:
        TrustError: naming the group.
    """
    if any(rollout.valid and rollout.terms.right for rollout in group):
        return
    if any(np.any(rollout.token_advantages) for rollout in group):
        raise TrustError(
            f"group {group[0].group_id}: no answer is right and yet there are advantages: "
            "shaped rewards got past the outcome gate"
        )
