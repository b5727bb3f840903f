"""The research loop as generators that do no I/O: they yield what they need and get it sent.

``text_episode`` is for policies that give a turn's text (the scripted expert, an endpoint),
``token_episode`` for a model that samples token ids. Both follow the same rules:

* All tool calls of a turn run; results come back in the order of the calls.
* Hits are labelled 1, 2, 3, ... over the whole trajectory; a document that comes back keeps its
  first label. An answer cites labels, which become document ids; ``read`` may take a label.
* A malformed completion runs nothing. The model is told why (``max_malformed`` times).
* A failed tool call is shown as an error. One that failed on our side marks the trajectory
  INFRA_ERROR, whatever follows, so that it leaves the loss and the group's baseline.
* Running out of turns, or of room for another completion, ends it as TRUNCATED. Nothing is
  answered in the model's stead.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from medr_jax.agent.conversation import AgentLimits, Conversation
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import AgentProtocol, ParsedTurn
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Question, Status, ToolCall, ToolResult, Trajectory, Turn

__all__ = [
    "AgentLimits",
    "CallTools",
    "Episode",
    "Generate",
    "NextTurn",
    "Sampled",
    "text_episode",
    "token_episode",
]


@dataclass(frozen=True, slots=True)
class NextTurn:
    """Asks a text policy for its next turn; the reply is a ``ParsedTurn``."""

    question: Question
    turns: tuple[Turn, ...]  # what happened so far; hits carry their labels


@dataclass(frozen=True, slots=True)
class Generate:
    """Asks an engine to go on after ``new_ids``; the reply is a ``Sampled``."""

    new_ids: tuple[int, ...]  # since the last completion, whose tokens the engine has
    max_tokens: int
    rollout_id: str  # with the turn, what sampling noise is derived from
    turn: int


@dataclass(frozen=True, slots=True)
class CallTools:
    """Asks for tool calls; the reply is one ``ToolResult`` for each, in order."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """A completion. ``status``: OK (its last token is a stop token), TRUNCATED, INFRA_ERROR."""

    token_ids: Sequence[int]
    logprobs: Sequence[float] | None = None
    status: Status = Status.OK
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class Episode:
    """A rollout of a token policy."""

    trajectory: Trajectory
    ledger: Ledger = field(repr=False)


TextEpisode = Generator[NextTurn | CallTools, ParsedTurn | tuple[ToolResult, ...], Trajectory]
TokenEpisode = Generator[Generate | CallTools, Sampled | tuple[ToolResult, ...], Episode]


def text_episode(
    question: Question,
    limits: AgentLimits,
    *,
    trajectory_id: str = "",
    policy: str = "expert",
    index_hash: str = "",
) -> TextEpisode:
    """An episode of a policy that writes text. Token limits do not apply."""
    conversation = Conversation(question, limits)
    while conversation.status is None:
        turn = yield NextTurn(question, conversation.turns)
        if calls := conversation.accept(turn):
            conversation.observe((yield CallTools(calls)))
    return conversation.trajectory(
        trajectory_id=trajectory_id or question.question_id, policy=policy, index_hash=index_hash
    )


def token_episode(
    question: Question,
    tokenizer: Tokenizer,
    protocol: AgentProtocol,
    limits: AgentLimits,
    *,
    tool_schemas: Sequence[dict] = (),
    rollout_id: str = "",
    policy: str = "model",
    index_hash: str = "",
) -> TokenEpisode:
    """An episode of a policy that samples token ids; its ledger never exceeds the limits.

    ``rollout_id`` becomes the trajectory's id; by default "<question id>/0".
    """
    rollout_id = rollout_id or f"{question.question_id}/0"
    conversation = Conversation(question, limits)
    ledger = Ledger(tokenizer, protocol)
    context = protocol.prompt(question.text, tool_schemas)
    while conversation.status is None:
        new_ids, roles = ledger.encode(context)
        room = limits.max_total_tokens - len(ledger) - len(new_ids)
        if room < 1:
            conversation.truncate(f"no room in {limits.max_total_tokens} tokens")
            break
        ledger.append_encoded_context(new_ids, roles)
        sampled = yield Generate(
            new_ids=tuple(new_ids),
            max_tokens=min(room, limits.max_completion_tokens),
            rollout_id=rollout_id,
            turn=ledger.num_turns,
        )
        ledger.append_completion(sampled.token_ids, sampled.logprobs, sampled.policy_version)
        if calls := conversation.accept(_read(sampled, protocol, tokenizer)):
            conversation.observe((yield CallTools(calls)))
        context = protocol.observation(conversation.turns[-1].results)
    trajectory = conversation.trajectory(
        trajectory_id=rollout_id, policy=policy, index_hash=index_hash
    )
    return Episode(trajectory, ledger)


def _read(sampled: Sampled, protocol: AgentProtocol, tokenizer: Tokenizer) -> ParsedTurn:
    turn = protocol.parse(sampled.token_ids, tokenizer)
    if sampled.status == Status.OK:
        return turn
    why = "out of tokens within a completion" if sampled.status == Status.TRUNCATED else ""
    return ParsedTurn(thought=turn.thought, error=why, status=sampled.status)
