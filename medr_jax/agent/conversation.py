"""What both kinds of episode share: turns, labels of hits, limits, and how it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from medr_jax.tokens.protocol import ParsedTurn, parse_label, turn_problem
from medr_jax.types import (
    Answer,
    Question,
    Status,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

DOCUMENT_ARGUMENT = "doc_id"
"""The argument, of any tool, that may name a document by the label under which it was shown."""


@dataclass(kw_only=True, slots=True)
class AgentLimits:
    """Where an episode is cut off. The defaults hold the longest of the paper-like set."""

    max_turns: int = 12
    max_calls_per_turn: int = 8
    max_malformed: int = 1  # malformed completions that the model is told of; one more ends it
    max_completion_tokens: int = 128  # per turn; token policies only
    max_total_tokens: int = 4096  # prompt, completions and observations; token policies only

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_calls_per_turn", "max_completion_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"agent.{name}={getattr(self, name)}: must be at least 1")
        if self.max_malformed < 0:
            raise ValueError(f"agent.max_malformed={self.max_malformed}: must be at least 0")
        if self.max_total_tokens <= self.max_completion_tokens:
            raise ValueError(
                f"agent.max_total_tokens={self.max_total_tokens} leaves no room for a prompt "
                f"beside max_completion_tokens={self.max_completion_tokens}; raise it"
            )


class Conversation:
    """The growing trajectory of one question. ``status`` is None while it goes on."""

    def __init__(self, question: Question, limits: AgentLimits):
        self.question = question
        self.status: Status | None = None
        self.error = ""
        self._limits = limits
        self._turns: list[Turn] = []
        self._labels: dict[str, int] = {}
        self._pending: ParsedTurn | None = None
        self._num_malformed = 0

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Finished turns, results included."""
        return tuple(self._turns)

    def accept(self, turn: ParsedTurn) -> tuple[ToolCall, ...]:
        """Takes a completion in; returns the calls to run now, with labels made document ids."""
        assert self.status is None and self._pending is None
        if turn.status not in (Status.OK, Status.MODEL_ERROR):
            self._record(Turn(thought=turn.thought, status=turn.status, error=turn.error))
            self._end(turn.status, turn.error or f"the policy ended with {turn.status}")
        elif problem := turn_problem(turn) or self._too_many(turn):
            self._reject(turn, problem)
        elif turn.answer_text is not None:
            self._record(self._answer(turn))
            self._end(Status.OK)
        else:
            self._pending = turn
            return tuple(map(self._resolved, turn.calls, self._call_ids(turn)))
        return ()

    def observe(self, results: Sequence[ToolResult]) -> None:
        """Takes in the results of the calls that ``accept`` returned, in their order."""
        turn, self._pending = self._pending, None
        assert turn is not None and len(results) == len(turn.calls)
        calls = tuple(map(self._as_shown, turn.calls, self._call_ids(turn)))
        self._record(
            Turn(thought=turn.thought, calls=calls, results=tuple(map(self._labelled, results)))
        )
        self._check_turns()

    def truncate(self, why: str) -> None:
        """Ends it because there is no room for another completion."""
        self._end(Status.TRUNCATED, why)

    def trajectory(self, **identity: str) -> Trajectory:
        """The finished record. A failure on our side in any tool call marks the whole of it."""
        assert self.status is not None
        status = self.status
        results = (result for turn in self._turns for result in turn.results)
        if any(result.status == Status.INFRA_ERROR for result in results):
            status = Status.INFRA_ERROR
        return Trajectory(
            question=self.question, turns=self.turns, status=status, error=self.error, **identity
        )

    def _record(self, turn: Turn) -> None:
        self._turns.append(turn)

    def _end(self, status: Status, error: str = "") -> None:
        self.status, self.error = status, error

    def _check_turns(self) -> None:
        if len(self._turns) >= self._limits.max_turns:
            self._end(Status.TRUNCATED, f"no answer within {self._limits.max_turns} turns")

    def _too_many(self, turn: ParsedTurn) -> str:
        limit = self._limits.max_calls_per_turn
        return f"at most {limit} tool calls in one turn" if len(turn.calls) > limit else ""

    def _reject(self, turn: ParsedTurn, problem: str) -> None:
        """A malformed completion runs nothing; the model reads why, as it reads a tool."""
        self._num_malformed += 1
        final = self._num_malformed > self._limits.max_malformed
        told = () if final else (ToolResult(status=Status.MODEL_ERROR, text=problem),)
        self._record(
            Turn(thought=turn.thought, results=told, status=Status.MODEL_ERROR, error=problem)
        )
        if final:
            self._end(Status.MODEL_ERROR, problem)
        else:
            self._check_turns()

    def _answer(self, turn: ParsedTurn) -> Turn:
        """Labels become document ids; one that was never shown is dropped and noted."""
        documents = {label: doc_id for doc_id, label in self._labels.items()}
        labels = dict.fromkeys(turn.cited_labels)
        citations = tuple(documents[label] for label in labels if label in documents)
        unknown = [label for label in labels if label not in documents]
        note = f"cited labels that were never shown: {unknown}" if unknown else ""
        assert turn.answer_text is not None
        answer = Answer(text=turn.answer_text, citations=citations)
        return Turn(thought=turn.thought, answer=answer, error=note)

    def _call_ids(self, turn: ParsedTurn) -> list[str]:
        return [f"{len(self._turns)}.{i}" for i in range(len(turn.calls))]

    def _resolved(self, call: ToolCall, call_id: str) -> ToolCall:
        """The call as the tool gets it: a label becomes the document's id."""
        label = parse_label(_document_of(call))
        for doc_id, shown_as in self._labels.items():
            if label == shown_as:
                call = _with_document(call, doc_id)
        return msgspec.structs.replace(call, call_id=call_id)

    def _as_shown(self, call: ToolCall, call_id: str) -> ToolCall:
        """The call as it is kept: a document that was shown is named by its label."""
        named = _document_of(call)
        # Read as a label first, as in _resolved: a document's id may look like another's label.
        if named in self._labels and not _is_label(named, len(self._labels)):
            call = _with_document(call, str(self._labels[named]))
        return msgspec.structs.replace(call, call_id=call_id)

    def _labelled(self, result: ToolResult) -> ToolResult:
        """A document keeps its first label for the whole trajectory."""
        hits = tuple(
            msgspec.structs.replace(
                hit, label=self._labels.setdefault(hit.doc_id, len(self._labels) + 1)
            )
            for hit in result.hits
        )
        return msgspec.structs.replace(result, hits=hits)


def _document_of(call: ToolCall) -> str:
    return str(call.arguments.get(DOCUMENT_ARGUMENT, "")).strip()


def _is_label(named: str, num_labels: int) -> bool:
    label = parse_label(named)
    return label is not None and 1 <= label <= num_labels


def _with_document(call: ToolCall, name: str) -> ToolCall:
    return msgspec.structs.replace(call, arguments={**call.arguments, DOCUMENT_ARGUMENT: name})
