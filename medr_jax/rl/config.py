"""The choices of an RL run: how rollouts are grouped, compared, and made into a loss."""

import enum
from dataclasses import dataclass, field

from medr_jax.rl.curriculum import CurriculumConfig
from medr_jax.rl.rewards import RewardConfig
from medr_jax.rl.trust import TrustConfig


class Advantage(enum.Enum):
    """What a rollout's reward is compared with; see ``advantages``."""

    grpo = "grpo"
    dr_grpo = "dr_grpo"
    rloo = "rloo"


class Credit(enum.Enum):
    """What of a rollout an advantage is about; see ``credit``."""

    rollout = "rollout"  # all of its turns get the same
    hop = "hop"  # each turn gets what it changed about the chances of its group


class RatioLevel(enum.Enum):
    """Whether the policy ratio is one number a token or one a rollout (GSPO)."""

    token = "token"
    sequence = "sequence"


class KL(enum.Enum):
    """Estimator of KL(policy || reference) at a sampled token."""

    none = "none"
    k1 = "k1"
    k2 = "k2"
    k3 = "k3"


class KLPlace(enum.Enum):
    """Where the KL term goes."""

    loss = "loss"
    reward = "reward"


class LossAgg(enum.Enum):
    """How losses of tokens become one number; see ``loss.aggregate``."""

    token = "token"
    sequence = "sequence"
    constant = "constant"


class Overlong(enum.Enum):
    """Whether rollouts that were cut off are in the loss. They always are in the baseline."""

    keep = "keep"
    filter = "filter"


class OffPolicy(enum.Enum):
    """Correction for sampler and trainer giving different probabilities."""

    none = "none"
    truncated_is = "truncated_is"


@dataclass(kw_only=True, slots=True)
class RLConfig:
    """One iteration: P prompts with G rollouts each, then ``num_minibatches * num_epochs`` steps.

    An optimizer step trains on whole groups. ``training.num_steps`` counts optimizer steps.
    """

    num_prompts: int = 16  # P
    group_size: int = 8  # G
    num_minibatches: int = 1  # the P groups are split into so many optimizer steps
    num_epochs: int = 1  # passes over them
    micro_rows: int = 8  # packed rows of a micro-batch, over all devices
    row_length: int = 512  # tokens of a packed row; at least agent.max_total_tokens

    advantage: Advantage = Advantage.grpo
    credit: Credit = Credit.rollout
    gae_lambda: float = 0.0  # of credit=hop: 0 = to the next turn's state, 1 = to the end
    ratio_level: RatioLevel = RatioLevel.token
    clip: bool = True
    clip_eps_low: float = 0.2
    clip_eps_high: float = 0.2  # above clip_eps_low: clip-higher (DAPO)
    kl: KL = KL.none
    kl_place: KLPlace = KLPlace.loss
    kl_coef: float = 0.04
    loss_agg: LossAgg = LossAgg.token
    loss_constant: int = 0  # tokens that loss_agg=constant divides each rollout by; 0 = row_length
    entropy_coef: float = 0.0
    off_policy: OffPolicy = OffPolicy.none
    is_cap: float = 2.0  # of off_policy=truncated_is
    overlong: Overlong = Overlong.keep
    drop_dead_groups: bool = False  # out of the loss's denominator; they have no gradient anyway
    # Others decode while one waits for its tools: for slow tools. Which rows are decoded together
    # then depends on time, and the last bits of a log-probability may.
    overlap_tools: bool = False
    sampling_rounds: int = 1  # above 1: prompts are drawn again until P groups are informative

    rewards: RewardConfig = field(default_factory=RewardConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    trust: TrustConfig = field(default_factory=TrustConfig)
    dump_every: int = 0  # iterations whose rollouts are written to disk; 0 = none

    def __post_init__(self) -> None:
        for name in (
            *("num_prompts", "num_minibatches", "num_epochs", "micro_rows", "sampling_rounds"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"rl.{name}={getattr(self, name)}: must be at least 1")
        if self.group_size < 2:
            raise ValueError(
                f"rl.group_size={self.group_size}: a rollout is compared with others of its "
                "group; use at least 2"
            )
        if self.num_prompts % self.num_minibatches:
            raise ValueError(
                f"rl.num_minibatches={self.num_minibatches}: must divide "
                f"num_prompts={self.num_prompts}"
            )
        for name in ("kl_coef", "entropy_coef", "loss_constant", "dump_every", "clip_eps_high"):
            if getattr(self, name) < 0:
                raise ValueError(f"rl.{name}={getattr(self, name)}: must not be negative")
        if not 0 <= self.clip_eps_low < 1:
            raise ValueError(f"rl.clip_eps_low={self.clip_eps_low}: must be in [0, 1)")
        if not 0 <= self.gae_lambda <= 1:
            raise ValueError(f"rl.gae_lambda={self.gae_lambda}: must be in [0, 1]")
        if not self.is_cap > 0:
            raise ValueError(f"rl.is_cap={self.is_cap}: must be above 0")
        if self.kl is KL.k1 and self.kl_place is KLPlace.loss and self.kl_coef:
            raise ValueError(
                "rl.kl=k1 with kl_place=loss: the gradient of log pi - log ref is 0 on average, "
                "so nothing would be regularised; use kl=k2 or k3, or kl_place=reward"
            )

    @property
    def steps_per_iteration(self) -> int:
        """Optimizer steps on one set of rollouts."""
        return self.num_minibatches * self.num_epochs

    @property
    def tokens_constant(self) -> int:
        """What ``loss_agg=constant`` divides by."""
        return self.loss_constant or self.row_length
