"""The composite reward: task, expert and efficiency (paper), format; each term kept apart.

R = alpha task + gate (beta expert + gamma efficiency + delta format - penalty unsupported), where
gate is 0 in a group without one right answer. Paper symbols: alpha, beta, gamma = ``task_weight``,
``expert_weight``, ``efficiency_weight`` = 1.0, 0.2, 0.1 as it reports them. It does not define its
terms; those here are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from medr_jax.grading import evidence, match
from medr_jax.grading.evidence import DocumentText
from medr_jax.types import Record, Status, Trajectory

Judge = Callable[[Trajectory], float]
"""An LLM judge's mark for the reasoning, from 0 to 1."""


@dataclass(kw_only=True, slots=True)
class RewardConfig:
    """Weights of the terms, and what efficiency is measured against."""

    task_weight: float = 1.0  # paper: alpha
    expert_weight: float = 0.2  # paper: beta
    efficiency_weight: float = 0.1  # paper: gamma
    format_weight: float = 0.0  # ours: 0 leaves the paper's three terms
    unsupported_penalty: float = 0.0  # for an answer that no cited document states
    outcome_gate: bool = True  # False: shaping counts in groups where every answer is wrong, too
    unsupported_task: float = 1.0  # what a right answer is worth that no cited document states
    calls_per_entity: float = 1.0  # of the gold chain: what it takes to find it
    tokens_per_entity: int = 40  # that the model writes
    abstentions: list[str] = field(default_factory=lambda: list(match.ABSTENTIONS))

    def __post_init__(self) -> None:
        for name in (
            *("task_weight", "expert_weight", "efficiency_weight", "format_weight"),
            "unsupported_penalty",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"rl.rewards.{name}={getattr(self, name)}: must not be negative")
        if not self.task_weight:
            raise ValueError("rl.rewards.task_weight=0: nothing would reward a right answer")
        if not 0 <= self.unsupported_task <= 1:
            raise ValueError(
                f"rl.rewards.unsupported_task={self.unsupported_task}: must be between 0 and 1"
            )
        for name in ("calls_per_entity", "tokens_per_entity"):
            if not getattr(self, name) > 0:
                raise ValueError(f"rl.rewards.{name}={getattr(self, name)}: must be above 0")


class Terms(Record):
    """The unweighted terms of one rollout. ``unsupported`` is a penalty, the rest from 0 to 1."""

    task: float
    expert: float
    efficiency: float
    format: float
    unsupported: float
    right: bool  # the answer, or the abstention, was right: what ``task`` is before its cap
    progress: tuple[int, ...] = ()  # entities of the chain that were found, after each turn


Mark = Callable[[Trajectory, int], Terms]
"""Terms of a rollout in which the model wrote that many tokens, such as a ``Scorer`` gives."""


class Scorer:
    """Marks rollouts. Deterministic, so marking again gives the same."""

    def __init__(
        self,
        config: RewardConfig,
        names: match.Names,
        document_text: DocumentText,
        judge: Judge | None = None,
    ) -> None:
        self._config = config
        self._names = names
        self._document_text = document_text
        self._judge = judge

    def __call__(self, trajectory: Trajectory, num_tokens: int) -> Terms:
        """Terms of a rollout in which the model wrote ``num_tokens`` tokens."""
        config = self._config
        supporting = evidence.supporting_documents(trajectory, self._names, self._document_text)
        progress, needed = evidence.entities_found(trajectory, self._names)
        found = progress[-1] if progress else 0
        answers = trajectory.answer is not None and not abstains(trajectory, config.abstentions)
        right = is_right(trajectory, config.abstentions)
        bare = answers and not supporting
        return Terms(
            task=right * (config.unsupported_task if bare else 1.0),
            expert=self._expert(trajectory, len(supporting), found / needed),
            efficiency=efficiency(trajectory.num_tool_calls, num_tokens, needed, config),
            format=float(well_formed(trajectory)),
            unsupported=float(bare),
            right=right,
            progress=progress,
        )

    def _expert(self, trajectory: Trajectory, num_supporting: int, coverage: float) -> float:
        """Mean of: share of citations that state the answer, share of the chain found, judge."""
        num_cited = len(evidence.cited_documents(trajectory))
        marks = [num_supporting / num_cited if num_cited else 0.0, coverage]
        if self._judge is not None:
            marks.append(self._judge(trajectory))
        return sum(marks) / len(marks)


def abstains(trajectory: Trajectory, abstentions: Sequence[str]) -> bool:
    """Whether the explicit answer says that there is none; no answer at all is no abstention."""
    answer = trajectory.answer
    return answer is not None and match.matches(answer.text, abstentions)


def is_right(trajectory: Trajectory, abstentions: Sequence[str]) -> bool:
    """A right answer, or an abstention where there is none; an abstention elsewhere is wrong."""
    question, answer = trajectory.question, trajectory.answer
    if question.is_unanswerable:
        return abstains(trajectory, abstentions)
    return answer is not None and match.is_correct(answer.text, question)


def efficiency(num_calls: int, num_tokens: int, num_entities: int, config: RewardConfig) -> float:
    """Mean of need / spent for tool calls and for tokens, each at most 1; 0 without any call.

    Without that last rule an answer out of thin air would be the most efficient one.
    """
    if not num_calls:
        return 0.0
    calls = min(1.0, config.calls_per_entity * num_entities / num_calls)
    tokens = min(1.0, config.tokens_per_entity * num_entities / max(num_tokens, 1))
    return (calls + tokens) / 2


def well_formed(trajectory: Trajectory) -> bool:
    """Ended with an explicit answer, and every completion could be read."""
    malformed = any(turn.status is Status.MODEL_ERROR for turn in trajectory.turns)
    return trajectory.answer is not None and not malformed


def total_rewards(
    groups: Sequence[Sequence[Terms]], valid_PG: np.ndarray, config: RewardConfig
) -> np.ndarray:
    """float64 (P, G): the weighted sums, shaping only where outcomes allow it.

    In a group without one right answer shaping counts for nothing, so that it alone can never
    make an advantage there (DESIGN decision 7).
    """
    task_PG, right_PG = (
        np.array([[float(getattr(terms, name)) for terms in group] for group in groups])
        for name in ("task", "right")
    )
    shaping_PG = np.array([[shaping(terms, config) for terms in group] for group in groups])
    return config.task_weight * task_PG + shaping_gate(right_PG, valid_PG, config) * shaping_PG


def shaping(terms: Terms, config: RewardConfig) -> float:
    """All but the task, weighted."""
    return (
        config.expert_weight * terms.expert
        + config.efficiency_weight * terms.efficiency
        + config.format_weight * terms.format
        - config.unsupported_penalty * terms.unsupported
    )


def shaping_gate(right_PG: np.ndarray, valid_PG: np.ndarray, config: RewardConfig) -> np.ndarray:
    """float64 (P, 1): 1 for groups in which some valid rollout is right, else 0."""
    if not config.outcome_gate:
        return np.ones((len(right_PG), 1))
    return np.any((right_PG > 0) & valid_PG, axis=1, keepdims=True).astype(float)
