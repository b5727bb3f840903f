"""A text policy that asks a chat endpoint for every turn, with tool calls in the API's own form.

The endpoint is told the same tools as any model of ours, and an ``answer`` function beside them.
What it says becomes a ``ParsedTurn``; a failure of the endpoint becomes a turn with a typed
status, which ends the episode without an answer.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from medr_jax.agent.loop import NextTurn
from medr_jax.endpoint import wire
from medr_jax.endpoint.errors import EndpointError
from medr_jax.endpoint.usage import Usage
from medr_jax.endpoint.wire import CallText, Reply
from medr_jax.tokens.chatml import ANSWER, ANSWER_SCHEMA, shown
from medr_jax.tokens.protocol import ParsedTurn, checked, parse_label
from medr_jax.types import Status, ToolCall, ToolResult, Turn

SYSTEM = (
    "You research medical questions. Look facts up with the functions, one step at a time, and "
    "rely on what they return. Say briefly what you are looking for, then call functions. Every "
    "result has a number in square brackets; read takes such a number. When the results state "
    "the answer, call answer with it and the numbers of the results that state it."
)
UNREADABLE = "(a message without a readable function call)"
SAY_NOTHING_ELSE = "Answer as shortly as possible, with the name alone."


class ChatEndpoint(Protocol):
    """What a policy needs of ``medr_jax.endpoint.client.Endpoint``."""

    def chat(self, messages: Any, *, tools: Any = (), deadline: float | None = None) -> Reply:
        """The model's next message."""

    def complete_counted(
        self, messages: Any, schema: Any, *, deadline: float | None = None
    ) -> tuple[dict[str, Any], Usage]:
        """An answer that fits a JSON schema, and what it used."""

    def task_deadline(self) -> float:
        """Until when a task that starts now may take."""


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    citations: list[int | str] = []


class ChatPolicy:
    """The policy of one episode (``medr_jax.agent.drivers.TextPolicy``).

    ``scaffold`` is told to the model beside the question and is no part of the trajectory.
    ``usage`` and ``context_tokens`` say what the episode cost and how long it became.
    """

    def __init__(
        self,
        endpoint: ChatEndpoint,
        tool_schemas: Sequence[dict],
        *,
        system: str = SYSTEM,
        scaffold: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._tools = [*tool_schemas, ANSWER_SCHEMA]
        self._system, self._scaffold = system, scaffold
        self._deadline = endpoint.task_deadline()
        self.usage = Usage()
        self.context_tokens = 0

    def __call__(self, request: NextTurn) -> ParsedTurn:
        """The next turn; a failure on the endpoint's side is a turn with its status."""
        messages = opening(request.question.text, self._system, self._scaffold)
        messages += conversation(request.turns)
        try:
            reply = self._endpoint.chat(messages, tools=self._tools, deadline=self._deadline)
        except EndpointError as failure:
            self.usage += failure.usage
            return failed(failure)
        self.usage += reply.usage
        self.context_tokens = reply.context_tokens
        return read(reply)


class SingleShotPolicy:
    """Answers without tools, or after one search with the question's own words.

    The answer is structured output, so no text is searched for it.
    """

    def __init__(self, endpoint: ChatEndpoint, *, search: bool, max_query_chars: int = 500) -> None:
        self._endpoint = endpoint
        self._search = search
        self._max_query_chars = max_query_chars
        self._deadline = endpoint.task_deadline()
        self.usage = Usage()
        self.context_tokens = 0

    def __call__(self, request: NextTurn) -> ParsedTurn:
        """The search, if there is to be one, then the answer."""
        question = request.question.text
        if self._search and not request.turns:
            query = question[: self._max_query_chars]
            return ParsedTurn(calls=(ToolCall(name="search", arguments={"query": query}),))
        found = [shown(result) for turn in request.turns for result in turn.results]
        told = "\n\n".join([question, *(f"Search results:\n{text}" for text in found)])
        messages = opening(told, SAY_NOTHING_ELSE)
        try:
            answer, used = self._endpoint.complete_counted(
                messages, ANSWER_SCHEMA["parameters"], deadline=self._deadline
            )
        except EndpointError as failure:
            self.usage += failure.usage
            return failed(failure)
        self.usage += used
        labels = tuple(answer["citations"]) if self._search else ()
        return ParsedTurn(answer_text=answer["text"], cited_labels=labels)


def opening(question: str, system: str, scaffold: str = "") -> list[dict[str, Any]]:
    """The messages before the first turn."""
    told = f"{question}\n\n{scaffold}" if scaffold else question
    return [{"role": "system", "content": system}, {"role": "user", "content": told}]


def conversation(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The turns so far as messages; a malformed one is followed by what was wrong with it."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        thought = turn.thought or ("" if turn.calls else UNREADABLE)
        said: dict[str, Any] = {"role": "assistant", "content": thought}
        if turn.calls:
            said["tool_calls"] = [_written(call) for call in turn.calls]
        messages.append(said)
        if turn.calls:
            messages += map(_tool_message, turn.calls, turn.results)
        else:
            messages += [{"role": "user", "content": shown(result)} for result in turn.results]
    return messages


def read(reply: Reply) -> ParsedTurn:
    """What a reply says; a malformed one carries its error."""
    thought = reply.content.strip()
    if reply.finish == wire.CUT:
        return ParsedTurn(
            thought=thought,
            error="out of tokens within a completion",
            status=Status.TRUNCATED,
        )
    answers = [call for call in reply.calls if call.name == ANSWER]
    others = [call for call in reply.calls if call.name != ANSWER]
    try:
        if len(answers) > 1:
            raise ValueError("two answers in one turn")
        calls = tuple(map(_call, others))
        answer = _read(answers[0].arguments, _Answer) if answers else None
        labels = tuple(parse_label(str(label)) for label in answer.citations) if answer else ()
        if None in labels:
            raise ValueError("citations are numbers of results")
    except ValueError as problem:
        return ParsedTurn(thought=thought, error=str(problem), status=Status.MODEL_ERROR)
    if answer is None:
        return checked(ParsedTurn(thought=thought, calls=calls))
    return checked(
        ParsedTurn(
            thought=thought,
            calls=calls,
            answer_text=answer.text,
            cited_labels=labels,
        )
    )


def failed(failure: EndpointError) -> ParsedTurn:
    """A turn that ends the episode with the failure's status.

    A model that gives no usable structured answer has answered badly, and is told nothing.
    """
    return ParsedTurn(error=str(failure), status=failure.status)


def _call(call: CallText) -> ToolCall:
    arguments = _read(call.arguments or "{}", dict)
    try:
        return msgspec.convert({"name": call.name, "arguments": arguments}, ToolCall)
    except msgspec.ValidationError as problem:
        raise ValueError(f"the arguments of {call.name}: {problem}") from None


def _read(text: str, wanted: type) -> Any:
    try:
        return msgspec.json.decode(text, type=wanted)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise ValueError(f"the arguments are not the expected JSON: {problem}") from None


def _written(call: ToolCall) -> dict[str, Any]:
    function = {
        "name": call.name,
        "arguments": json.dumps(call.arguments, ensure_ascii=False),
    }
    return {"id": call.call_id, "type": "function", "function": function}


def _tool_message(call: ToolCall, result: ToolResult) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.call_id, "content": shown(result)}
