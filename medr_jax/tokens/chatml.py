"""The ``chatml`` protocol: Qwen2.5's conversation format with JSON tool calls.

Prompt, completion, observation, last completion::

    <|im_start|>system\\n ... <|im_end|>\\n<|im_start|>user\\nquestion<|im_end|>\\n
    <|im_start|>assistant\\n

    thought\\n<tool_call>\\n{"name": "search", "arguments": {"query": "..."}}\\n</tool_call>
    <|im_end|>

    \\n<|im_start|>user\\n<tool_response>\\n[1] Title: snippet\\n</tool_response><|im_end|>\\n
    <|im_start|>assistant\\n

    thought\\n<tool_call>\\n{"name": "answer", "arguments": {"text": "...", "citations": [1]}}\\n
    </tool_call><|im_end|>

A conversation rendered here equals the one that Qwen2.5's chat template renders from the same
messages (tested), but for what differs by design:

* The system message is ours, tool descriptions included; the template's ``tools=`` and its
  default system prompt are not used.
* The newline after ``<|im_end|>`` belongs to what follows: the model never samples it, so it is
  context and not in the loss. After the last turn there is none.
* Text is encoded a segment at a time, so ids of a question or a result do not depend on the
  header before it. Where the content starts with a newline, the template's text, tokenised
  whole, merges it with the header's; else the ids are equal, too (tested).
* A tool call's JSON stays as the model wrote it; the template parses and dumps it again.
* Control tokens inside questions, results and completions stay plain text. Tags are plain text,
  too, for some tokenizers (``<tool_response>`` for Qwen2.5's, ``<tool_call>`` as well for
  SmolLM2's): in questions and results they are broken by a space, in a call's JSON escaped.
* The answer is a call of ``answer``, so that giving one is an act and not the lack of one.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from medr_jax.tokens.protocol import (
    ParsedTurn,
    Piece,
    Role,
    Segment,
    checked,
    control,
    parse_label,
    split_at_controls,
    text,
    turn_problem,
)
from medr_jax.tokens.tags import CALL, CALL_END, broken, calls_in_text, escaped, split_at_tags
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Hit, Record, Status, ToolCall, ToolResult

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
ANSWER = "answer"

ANSWER_SCHEMA = {
    "name": ANSWER,
    "description": "Ends the research with the final answer.",
    "parameters": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "The answer alone, as short as possible."},
            "citations": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "Numbers of the results that state the answer.",
            },
        },
        "required": ["text", "citations"],
    },
}

INTRODUCTION = (
    "You research medical questions. Look facts up with the functions below, one step at a time, "
    "and rely on what they return. Say briefly what you are looking for, then call functions. "
    "Every result has a number in square brackets.\n\n"
    "# Functions\n\nOne JSON description a line:\n<tools>\n"
)
HOW_TO_CALL = "\n</tools>\n\nA call is a JSON object between two tags; several may follow:\n"
CALL_SHAPE = '\n{"name": "function name", "arguments": {"argument": "value"}}\n'


class _Malformed(Exception):
    """Why a completion cannot be read."""


class _Call(Record):
    name: str
    arguments: dict[str, Any] = {}


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    citations: list[int | str] = []


class ChatmlProtocol:
    """See the module's docstring."""

    name = "chatml"
    version = 2
    control_tokens = (PAD, START, END, CALL, CALL_END)
    tags = (CALL, CALL_END)

    def prompt(self, question_text: str, tool_schemas: Sequence[dict]) -> list[Segment]:
        """System message with the functions, the question, and the model's header."""
        functions = "\n".join(map(function_line, (*tool_schemas, ANSWER_SCHEMA)))
        return [
            *_header("system"),
            text(INTRODUCTION + functions + HOW_TO_CALL, Role.SYSTEM),
            control(CALL, Role.SYSTEM),
            text(CALL_SHAPE, Role.SYSTEM),
            control(CALL_END, Role.SYSTEM),
            *_next_header("user"),
            text(broken(question_text), Role.USER),
            *_next_header("assistant"),
        ]

    def completion(self, turn: ParsedTurn) -> list[Segment]:
        """Thought as plain text, then one JSON block a call; the answer is such a call."""
        if problem := turn_problem(turn):
            raise ValueError(f"a malformed turn has no written form: {problem}")
        segments = []
        if thought := turn.thought.strip():
            segments.append(text(f"{thought}\n", Role.THOUGHT))
        blocks = [(Role.CALL, call.name, call.arguments) for call in turn.calls]
        if turn.answer_text is not None:
            arguments = {"text": turn.answer_text, "citations": list(turn.cited_labels)}
            blocks.append((Role.ANSWER, ANSWER, arguments))
        for i, (role, name, arguments) in enumerate(blocks):
            if i:
                segments.append(text("\n", role))
            call = {"name": name, "arguments": arguments}
            written = escaped(json.dumps(call, ensure_ascii=False))
            segments += [control(CALL, role), text(f"\n{written}\n", role), control(CALL_END, role)]
        return [*segments, control(END, Role.END)]

    def observation(self, results: Sequence[ToolResult]) -> list[Segment]:
        """One user message with a ``<tool_response>`` for each result."""
        segments = [text("\n", Role.HEADER), *_header("user")]
        for i, result in enumerate(results):
            # Cut where Qwen's splitting rule cuts too: a newline joins the character before it.
            opening = "</tool_response>\n<tool_response>\n" if i else "<tool_response>\n"
            segments += [
                text(opening, Role.HEADER),
                text(f"{shown(result)}\n", Role.TOOL),
            ]
        if results:
            segments.append(text("</tool_response>", Role.HEADER))
        return [*segments, *_next_header("assistant")]

    def parse(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> ParsedTurn:
        """What a completion says; a malformed one carries its error."""
        pieces = split_at_controls(token_ids, tokenizer)
        if not tokenizer.has_control(CALL):
            pieces = split_at_tags(pieces)
        thought = pieces[0].text.strip()
        try:
            return checked(_read(thought, pieces[1:]))
        except _Malformed as problem:
            return ParsedTurn(thought=thought, error=str(problem), status=Status.MODEL_ERROR)

    def completion_roles(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> list[Role]:
        """THOUGHT up to the first block; a block is CALL, or ANSWER when it calls ``answer``."""
        roles: list[Role] = []
        role = Role.THOUGHT
        in_text = {} if tokenizer.has_control(CALL) else dict(calls_in_text(token_ids, tokenizer))
        for position, token_id in enumerate(token_ids):
            name = tokenizer.control_name(int(token_id))
            if name == CALL:
                role = _block_role(split_at_controls(token_ids[position + 1 :], tokenizer)[0].text)
            elif position in in_text:
                role = _block_role(in_text[position])
            elif name == END:
                role = Role.END
            roles.append(role)
        return roles

    def pad_id(self, tokenizer: Tokenizer) -> int:
        """Fills arrays; never sampled, and never told from others by its value."""
        return tokenizer.control(PAD)

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        """``<|im_end|>``, and what no completion may contain."""
        return tuple(tokenizer.control(name) for name in (END, START))


def chat(message: str, system: str) -> list[Segment]:
    """A conversation's first message, without functions, and the model's header."""
    return [
        *_header("system"),
        text(system, Role.SYSTEM),
        *_next_header("user"),
        text(message, Role.USER),
        *_next_header("assistant"),
    ]


def _header(speaker: str) -> list[Segment]:
    return [control(START, Role.HEADER), text(f"{speaker}\n", Role.HEADER)]


def _next_header(speaker: str) -> list[Segment]:
    """Ends a message of ours and opens the next one."""
    return [control(END, Role.HEADER), text("\n", Role.HEADER), *_header(speaker)]


def function_line(schema: dict) -> str:
    """A function's description as the system message has it."""
    described = schema if "function" in schema else {"type": "function", "function": schema}
    return json.dumps(described, ensure_ascii=False)


def shown(result: ToolResult) -> str:
    """What a model is shown of a tool's result, one line a hit."""
    lines = [_hit_line(hit) for hit in result.hits]
    if result.status != Status.OK:
        lines.append(f"Error: {result.text}")
    elif result.text:
        lines.append(result.text)
    return broken("\n".join(lines))


def _hit_line(hit: Hit) -> str:
    """One line whatever the document holds, so that it cannot pretend to be another hit."""
    shown = f"{hit.title}: {hit.snippet}" if hit.snippet else hit.title
    return f"[{hit.label}] {' '.join(shown.split())}"


def _read(thought: str, pieces: Sequence[Piece]) -> ParsedTurn:
    """(<tool_call> json </tool_call>)* <|im_end|>, or _Malformed."""
    if not pieces or pieces[-1].control != END:
        raise _Malformed(f"does not end with {END}")
    calls: list[ToolCall] = []
    answers: list[_Answer] = []
    expected = CALL
    for name, content in pieces[:-1]:
        if name != expected:
            raise _Malformed(f"{name} where {expected} or the end was expected")
        if name == CALL:
            call = _read_block(content)
            if call.name == ANSWER:
                answers.append(_convert(call.arguments, _Answer))
            else:
                calls.append(_convert(msgspec.structs.asdict(call), ToolCall))
        elif content.strip():
            raise _Malformed(f"text after {CALL_END}")
        expected = CALL_END if name == CALL else CALL
    if expected == CALL_END or pieces[-1].text:
        raise _Malformed(f"{CALL} is not closed, or text follows {END}")
    if len(answers) > 1:
        raise _Malformed("two answers in one turn")
    for answer in answers:
        labels = tuple(parse_label(str(label)) for label in answer.citations)
        if None in labels:
            raise _Malformed("citations are numbers of results")
        return ParsedTurn(
            thought=thought, calls=tuple(calls), answer_text=answer.text, cited_labels=labels
        )
    return ParsedTurn(thought=thought, calls=tuple(calls))


def _read_block(content: str) -> _Call:
    try:
        return msgspec.json.decode(content.strip(), type=_Call)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise _Malformed(f"the tool call is not the expected JSON: {problem}") from None


def _convert(arguments: dict, record_type: type) -> Any:
    try:
        return msgspec.convert(arguments, record_type)
    except (msgspec.ValidationError, RecursionError) as problem:
        raise _Malformed(f"the tool call's arguments: {problem}") from None


def _block_role(content: str) -> Role:
    try:
        return Role.ANSWER if _read_block(content).name == ANSWER else Role.CALL
    except _Malformed:
        return Role.CALL
