"""The append-only record of a rollout's tokens, and the one rule of what is trained on.

A ledger alternates context (prompt, observations) and completions (what the model wrote). Each
part is encoded once, when it is appended; nothing is ever rendered or tokenised again. What the
model must produce, its end-of-turn included, is in the loss; system, user and tool text and the
headers around them never are.
"""

from collections.abc import Sequence

import numpy as np

from medr_jax.tokens.protocol import (
    MODEL_ROLES,
    AgentProtocol,
    ParsedTurn,
    Role,
    Segment,
    trajectory_turns,
    turn_problem,
)
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Trajectory

LEDGER_VERSION = 1
"""Raised when the same trajectory gives other tokens, roles or masks: caches are keyed by it."""

NO_POLICY = -1
"""Policy version of a token that no policy sampled: context, and text encoded afterwards."""

PROMPT_TURN = -1
"""Turn of the prompt's tokens. An observation has the turn it answers."""


_IS_MODEL = np.array([role in MODEL_ROLES for role in sorted(Role)])
"""By value of ``Role``."""


class Ledger:
    """Token ids with role, turn, log-probability and policy version, in order of appending."""

    def __init__(self, tokenizer: Tokenizer, protocol: AgentProtocol):
        self._tokenizer = tokenizer
        self._protocol = protocol
        self._token_ids: list[int] = []
        self._roles: list[int] = []
        self._turns: list[int] = []
        self._logprobs: list[float] = []
        self._policy_versions: list[int] = []
        self._num_turns = 0
        self._expects_completion = False

    def __len__(self) -> int:
        return len(self._token_ids)

    @property
    def num_turns(self) -> int:
        """Completions appended so far."""
        return self._num_turns

    def encode(self, segments: Sequence[Segment]) -> tuple[list[int], list[int]]:
        """Ids and roles of segments: text without special tokens, control tokens by id."""
        token_ids: list[int] = []
        roles: list[int] = []
        for segment in segments:
            assert not (segment.text and segment.control), segment
            name = segment.control
            if name and (self._tokenizer.has_control(name) or name not in self._protocol.tags):
                part = [self._tokenizer.control(name)]
            else:
                part = self._tokenizer.encode(segment.text or name)
            token_ids += part
            roles += [int(segment.role)] * len(part)
        return token_ids, roles

    def append_context(self, segments: Sequence[Segment]) -> list[int]:
        """The prompt or an observation; returns the new ids."""
        token_ids, roles = self.encode(segments)
        self.append_encoded_context(token_ids, roles)
        return token_ids

    def append_encoded_context(self, token_ids: Sequence[int], roles: Sequence[int]) -> None:
        """Context that ``encode`` of this ledger gave, measured before it is let in."""
        assert not self._expects_completion, "context after context: a completion is due"
        assert not MODEL_ROLES.intersection(roles), "context with a role of the model"
        self._append(token_ids, roles, [np.nan] * len(token_ids), NO_POLICY, self._num_turns - 1)
        self._expects_completion = True

    def append_completion(
        self,
        token_ids: Sequence[int],
        logprobs: Sequence[float] | None = None,
        policy_version: int = 0,
    ) -> None:
        """What the model sampled, as it sampled it, well-formed or not.

        ``logprobs``: of each token under the distribution it was sampled from (nats).
        """
        assert self._expects_completion, "a completion follows context"
        if logprobs is None:
            logprobs = [np.nan] * len(token_ids)
        assert len(logprobs) == len(token_ids), (len(logprobs), len(token_ids))
        ids = [int(token_id) for token_id in token_ids]
        roles = self._protocol.completion_roles(ids, self._tokenizer)
        self._append(ids, roles, logprobs, policy_version, self._num_turns)
        self._num_turns += 1
        self._expects_completion = False

    def append_text_completion(self, turn: ParsedTurn) -> None:
        """A text policy's turn, tokenised here and only here; log-probabilities are absent.

        Raises:
            ValueError: the protocol cannot write the turn so that it reads back the same.
        """
        token_ids, _ = self.encode(self._protocol.completion(turn))
        read = self._protocol.parse(token_ids, self._tokenizer)
        if self._meaning(read) != self._meaning(turn):
            raise ValueError(
                f"turn {self._num_turns}: reads back differently in the {self._protocol.name} "
                f"protocol: wrote {turn}, read {read}"
            )
        self.append_completion(token_ids, policy_version=NO_POLICY)

    @property
    def token_ids(self) -> np.ndarray:
        """int32 [T]."""
        return np.array(self._token_ids, np.int32)

    @property
    def roles(self) -> np.ndarray:
        """int8 [T], values of ``Role``."""
        return np.array(self._roles, np.int8)

    @property
    def turns(self) -> np.ndarray:
        """int32 [T]: index of the model's turn; ``PROMPT_TURN`` for the prompt."""
        return np.array(self._turns, np.int32)

    @property
    def logprobs(self) -> np.ndarray:
        """float32 [T], nats; nan where no policy sampled the token."""
        return np.array(self._logprobs, np.float32)

    @property
    def policy_versions(self) -> np.ndarray:
        """int32 [T]; ``NO_POLICY`` where no policy sampled the token."""
        return np.array(self._policy_versions, np.int32)

    @property
    def loss_mask(self) -> np.ndarray:
        """bool [T]: True where the token, as a target, is what the model must produce."""
        return _IS_MODEL[self.roles]

    def token_ids_from(self, start: int) -> list[int]:
        """Ids from position ``start`` on: what an engine that saw the rest must still read."""
        return self._token_ids[start:]

    def _append(self, token_ids, roles, logprobs, policy_version: int, turn: int) -> None:
        assert len(token_ids) == len(roles) == len(logprobs)
        self._token_ids += token_ids
        self._roles += map(int, roles)
        self._logprobs += map(float, logprobs)
        self._turns += [turn] * len(token_ids)
        self._policy_versions += [policy_version] * len(token_ids)

    def _meaning(self, turn: ParsedTurn) -> tuple:
        def seen(value: object) -> str:
            return " ".join(self._tokenizer.normalize(str(value)).split())

        calls = tuple(
            (call.name, {k: seen(v) for k, v in call.arguments.items() if v not in ("", None)})
            for call in turn.calls
        )
        answer = None if turn.answer_text is None else seen(turn.answer_text)
        return seen(turn.thought), calls, answer, turn.cited_labels, turn.error


def ledger_from_trajectory(
    trajectory: Trajectory,
    tokenizer: Tokenizer,
    protocol: AgentProtocol,
    tool_schemas: Sequence[dict] = (),
) -> Ledger:
    """The ledger of a text policy's trajectory, tokenised once.

    Equal to the ledger of a rollout in which a model sampled exactly these tokens. The last
    turn's results are left out: no completion follows them.

    Raises:
        ValueError: a turn is malformed (its text was not kept) or cannot be written.
    """
    ledger = Ledger(tokenizer, protocol)
    context = protocol.prompt(trajectory.question.text, tool_schemas)
    for turn, results in trajectory_turns(trajectory):
        if problem := turn_problem(turn):
            raise ValueError(
                f"trajectory {trajectory.trajectory_id!r}, turn {ledger.num_turns}: {problem}; "
                "filter malformed trajectories out before making ledgers"
            )
        ledger.append_context(context)
        ledger.append_text_completion(turn)
        context = protocol.observation(results)
    if not len(ledger):
        ledger.append_context(context)
    return ledger


def role_counts(ledger: Ledger) -> dict[str, int]:
    """Tokens by role, in the order of ``Role``; roles without tokens are left out."""
    counts = np.bincount(ledger.roles, minlength=len(Role))
    return {role.name.lower(): int(counts[role]) for role in Role if counts[role]}
