"""How a conversation is written as segments of text and control tokens, and read back.

Two protocols share one interface: ``compact`` for tiny models trained from scratch and
``chatml`` for pretrained ones. Reading works on token ids split at control ids, never on
decoded text, and is total: any sequence of ids gives a ``ParsedTurn``.
"""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from medr_jax.tokens.tokenizer import PROTOCOLS, Tokenizer
from medr_jax.types import Record, Status, ToolCall, ToolResult, Trajectory


class Role(IntEnum):
    """Whose token it is. The model's own roles come last; ``MODEL_ROLES`` are trained on."""

    NONE = 0  # padding, outside any conversation
    SYSTEM = 1
    USER = 2
    TOOL = 3
    HEADER = 4  # structure that is spliced in: who speaks next, where a hit begins
    THOUGHT = 5
    CALL = 6
    ANSWER = 7
    CITE = 8
    END = 9  # the model's own end-of-turn


MODEL_ROLES = frozenset({Role.THOUGHT, Role.CALL, Role.ANSWER, Role.CITE, Role.END})


class Segment(NamedTuple):
    """Either untrusted or fixed text, or one control token by name."""

    text: str
    control: str
    role: Role


def text(content: str, role: Role) -> Segment:
    """A segment of text."""
    return Segment(content, "", role)


def control(name: str, role: Role) -> Segment:
    """A segment that is one control token."""
    return Segment("", name, role)


class ParsedTurn(Record):
    """What one completion says: tool calls, or an answer, or why it says neither.

    A text policy returns one, too. ``status`` other than OK: MODEL_ERROR (``error`` says why),
    TRUNCATED, INFRA_ERROR or TIMEOUT of the policy itself.
    """

    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    answer_text: str | None = None
    cited_labels: tuple[int, ...] = ()
    error: str = ""
    status: Status = Status.OK


class Piece(NamedTuple):
    """A control token (by name, "" at the start) and the text up to the next one."""

    control: str
    text: str


class AgentProtocol(Protocol):
    """Writes and reads the conversation of an agent with its tools."""

    name: str
    version: int  # raised when the rendering changes
    control_tokens: tuple[str, ...]
    tags: tuple[str, ...]  # those of them that are written as text where the tokenizer has none

    def prompt(self, question_text: str, tool_schemas: Sequence[dict]) -> list[Segment]:
        """All that precedes the first completion, its header included."""

    def completion(self, turn: ParsedTurn) -> list[Segment]:
        """What the model has to produce, end-of-turn included.

        Raises:
            ValueError: the turn is malformed or holds something this protocol cannot write.
        """

    def observation(self, results: Sequence[ToolResult]) -> list[Segment]:
        """What the tools said, and the header that opens the next completion."""

    def parse(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> ParsedTurn:
        """What a completion says; total."""

    def completion_roles(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> list[Role]:
        """Role of each token of a completion, well-formed or not."""

    def pad_id(self, tokenizer: Tokenizer) -> int:
        """Fills arrays; never sampled, and never told from others by its value."""

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        """Ids after which nothing more is sampled; end-of-turn first."""


def get_protocol(name: str) -> AgentProtocol:
    """The protocol of that name. Raises ValueError listing the known ones."""
    from medr_jax.tokens.chatml import ChatmlProtocol
    from medr_jax.tokens.compact import CompactProtocol

    if name == "compact":
        return CompactProtocol()
    if name == "chatml":
        return ChatmlProtocol()
    raise ValueError(f"protocol {name!r} is unknown; use one of {PROTOCOLS}")


def split_at_controls(token_ids: Sequence[int], tokenizer: Tokenizer) -> list[Piece]:
    """Ids cut before every control id; the first piece has no control token."""
    pieces = []
    name, start = "", 0
    for position, token_id in enumerate(token_ids):
        found = tokenizer.control_name(int(token_id))
        if found is not None:
            pieces.append(Piece(name, tokenizer.decode(token_ids[start:position])))
            name, start = found, position + 1
    pieces.append(Piece(name, tokenizer.decode(token_ids[start:])))
    return pieces


def turn_problem(turn: ParsedTurn) -> str:
    """Why a turn cannot be acted on, "" when it can."""
    if turn.error:
        return turn.error
    if turn.calls and turn.answer_text is not None:
        return "a turn either calls tools or answers, not both"
    if not turn.calls and turn.answer_text is None:
        return "neither a tool call nor an answer"
    if turn.answer_text is not None and not turn.answer_text.strip():
        return "the answer is empty"
    return ""


def checked(turn: ParsedTurn) -> ParsedTurn:
    """The turn, or with its error and MODEL_ERROR when it cannot be acted on."""
    problem = turn_problem(turn)
    if not problem:
        return turn
    return ParsedTurn(thought=turn.thought, error=problem, status=Status.MODEL_ERROR)


def parse_label(label_text: str) -> int | None:
    """A hit's label, or None when the text is no number of one to six digits."""
    stripped = label_text.strip()
    return int(stripped) if re.fullmatch(r"[0-9]{1,6}", stripped) else None


def trajectory_turns(trajectory: Trajectory) -> Iterator[tuple[ParsedTurn, tuple[ToolResult, ...]]]:
    """Each turn as the model wrote it (citations as labels again) with its results."""
    labels: dict[str, int] = {}
    for turn in trajectory.turns:
        answer = turn.answer
        yield (
            ParsedTurn(
                thought=turn.thought,
                calls=turn.calls,
                answer_text=answer.text if answer else None,
                cited_labels=tuple(labels[doc_id] for doc_id in answer.citations) if answer else (),
                error=turn.error if turn.status != Status.OK else "",
                status=turn.status,
            ),
            turn.results,
        )
        for result in turn.results:
            labels.update({hit.doc_id: hit.label for hit in result.hits})


def texts(
    trajectory: Trajectory, protocol: AgentProtocol, tool_schemas: Sequence[dict] = ()
) -> Iterator[str]:
    """All text of a trajectory as the model will see it: what a tokenizer is trained on."""
    segments = list(protocol.prompt(trajectory.question.text, tool_schemas))
    for turn, results in trajectory_turns(trajectory):
        if not turn_problem(turn):
            segments += protocol.completion(turn)
        segments += protocol.observation(results)
    for segment in segments:
        if segment.text:
            yield segment.text
