"""Rollouts of a policy on groups of the same question, and their way to disk and back."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax
import msgspec
import numpy as np

from medr_jax import jsonl, processes
from medr_jax.agent.drivers import OthersFailed, SlotEngine, Tools, run_slots
from medr_jax.agent.loop import AgentLimits, Episode, TokenEpisode, token_episode
from medr_jax.rl.rewards import Terms
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import AgentProtocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Question, Record, Status, Trajectory

_OUR_FAULT = frozenset({Status.INFRA_ERROR, Status.TIMEOUT})


@dataclass(kw_only=True, slots=True)
class Rollout:
    """One rollout with its tokens as the ledger recorded them, and what was made of it since.

    Identity is (task_id, group_id, rollout_id, turn); prompts' text is never compared. Arrays
    have one entry a token of the ledger.
    """

    group_id: str
    rollout_id: str
    trajectory: Trajectory
    token_ids: np.ndarray  # int32
    roles: np.ndarray  # int8
    turns: np.ndarray  # int32
    loss_mask: np.ndarray  # bool: sampled by the policy
    logprobs: np.ndarray  # float32, the sampler's; nan off the mask
    policy_versions: np.ndarray  # int32
    terms: Terms | None = None
    reward: float = math.nan
    advantage: float = math.nan
    informative: bool = True  # rewards of its group differ
    turn_advantages: np.ndarray | None = field(default=None, repr=False)  # float64; see ``credit``
    old_logprobs: np.ndarray | None = field(default=None, repr=False)  # of each token as a target
    ref_logprobs: np.ndarray | None = field(default=None, repr=False)

    @property
    def task_id(self) -> str:
        """The question's id."""
        return self.trajectory.question.question_id

    @property
    def valid(self) -> bool:
        """False when our side failed: out of the loss and out of the group's baseline."""
        return self.trajectory.status not in _OUR_FAULT

    @property
    def truncated(self) -> bool:
        """Cut off by a limit."""
        return self.trajectory.status is Status.TRUNCATED

    @property
    def token_advantages(self) -> np.ndarray | float:
        """What each of its tokens gets; tokens that nobody sampled get anything."""
        if self.turn_advantages is None or not len(self.turn_advantages):
            return self.advantage
        return self.turn_advantages[np.maximum(self.turns, 0)]

    @property
    def num_sampled(self) -> int:
        """Tokens that the policy wrote."""
        return int(np.sum(self.loss_mask))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampler:
    """What turns questions into rollouts: an engine, tools, and how a conversation is written."""

    engine: SlotEngine
    tokenizer: Tokenizer
    protocol: AgentProtocol
    tools: Tools
    limits: AgentLimits
    tool_schemas: Sequence[dict] = ()
    index_hash: str = ""
    overlap_tools: bool = False  # a call that hangs then costs its own rollout only

    def __call__(
        self,
        questions: Sequence[Question],
        group_ids: Sequence[str],
        group_size: int,
        progress: Callable[[int], object] | None = None,
        mark: Callable[[Trajectory, int], Terms] | None = None,
    ) -> list[Rollout]:
        """``group_size`` rollouts of each question, those of a group side by side.

        A rollout's noise is keyed by its id, "<group id>/<number>": group ids must never come
        back, or the same noise would. Several processes share the work, marks included (a judge
        may judge otherwise the next time), and all get everything.
        """
        rollout_ids = [f"{name}/{number}" for name in group_ids for number in range(group_size)]
        asked = [question for question in questions for _ in range(group_size)]
        mine = processes.my_part(rollout_ids)
        episodes = map(self._episode, processes.my_part(asked), mine)
        finished = run_slots(
            episodes, self.engine, self.tools, progress, overlap=self.overlap_tools
        )

        def made() -> list[Rollout]:
            rollouts = [
                from_episode(episode, rollout_id.rsplit("/", 1)[0])
                for episode, rollout_id in zip(finished, mine, strict=True)
            ]
            for rollout in rollouts if mark else ():
                rollout.terms = mark(rollout.trajectory, rollout.num_sampled)
            return rollouts

        return exchange(made)

    def _episode(self, question: Question, rollout_id: str) -> TokenEpisode:
        return token_episode(
            question,
            self.tokenizer,
            self.protocol,
            self.limits,
            tool_schemas=self.tool_schemas,
            rollout_id=rollout_id,
            policy="policy",
            index_hash=self.index_hash,
        )


def from_episode(episode: Episode, group_id: str) -> Rollout:
    """The ledger's arrays beside the trajectory; nothing is tokenised again."""
    ledger: Ledger = episode.ledger
    return Rollout(
        group_id=group_id,
        rollout_id=episode.trajectory.trajectory_id,
        trajectory=episode.trajectory,
        token_ids=ledger.token_ids,
        roles=ledger.roles,
        turns=ledger.turns,
        loss_mask=ledger.loss_mask,
        logprobs=ledger.logprobs,
        policy_versions=ledger.policy_versions,
    )


def exchange(make: Callable[[], list[Rollout]]) -> list[Rollout]:
    """What ``make`` makes in each process, in the processes' order.

    Raises:
        OthersFailed: it failed in another one.
    """
    if jax.process_count() == 1:
        return make()
    mine = b""  # of one that failed
    try:
        mine = msgspec.json.encode(list(map(_to_line, make())))
    finally:
        shares = processes.gather_bytes(mine)
    if not all(shares):
        raise OthersFailed("another process failed while all of them marked their rollouts")
    decoder = msgspec.json.Decoder(list[RolloutLine])
    return [_from_line(line) for share in shares for line in decoder.decode(share)]


class RolloutLine(Record):
    """A rollout as one JSON line of a dump; missing log-probabilities are null."""

    group_id: str
    rollout_id: str
    trajectory: Trajectory
    token_ids: tuple[int, ...]
    roles: tuple[int, ...]
    turns: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    logprobs: tuple[float | None, ...]
    policy_versions: tuple[int, ...]
    terms: Terms | None = None
    reward: float | None = None
    advantage: float | None = None
    informative: bool = True
    turn_advantages: tuple[float, ...] | None = None
    old_logprobs: tuple[float | None, ...] | None = None
    ref_logprobs: tuple[float | None, ...] | None = None


_DTYPES = {
    "token_ids": np.int32,
    "roles": np.int8,
    "turns": np.int32,
    "loss_mask": np.bool_,
    "logprobs": np.float32,
    "policy_versions": np.int32,
    "turn_advantages": np.float64,
    "old_logprobs": np.float32,
    "ref_logprobs": np.float32,
}


def dump(path: Path, rollouts: Iterable[Rollout]) -> None:
    """Writes a JSON line a rollout; the file appears whole or not at all.

    Of several processes the first one writes.
    """
    if jax.process_index():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(path, map(_to_line, rollouts))


def read_dump(path: Path) -> Iterator[Rollout]:
    """The rollouts of a dump, exactly as they were written.

    Raises:
        ValueError: no such file, or a line that is not a rollout; names file:line.
    """
    return map(_from_line, jsonl.read(path, RolloutLine))


def _to_line(rollout: Rollout) -> RolloutLine:
    values = {name: getattr(rollout, name) for name in RolloutLine.__struct_fields__}
    for name in _DTYPES:
        if values[name] is not None:
            values[name] = tuple(map(_or_none, values[name].tolist()))
    for name in ("reward", "advantage"):
        values[name] = _or_none(values[name])
    return RolloutLine(**values)


def _or_none(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def _from_line(line: RolloutLine) -> Rollout:
    values = {name: getattr(line, name) for name in RolloutLine.__struct_fields__}
    for name, dtype in _DTYPES.items():
        if values[name] is not None:
            numbers = [math.nan if value is None else value for value in values[name]]
            values[name] = np.array(numbers, dtype)
    for name in ("reward", "advantage"):
        values[name] = math.nan if values[name] is None else values[name]
    return Rollout(**values)
