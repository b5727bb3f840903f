"""The ``compact`` protocol: few tokens, one control token per thing that is said.

::

    <|user|> question <|assistant|>
    <think> thought <tool_call> search : marfan syndrome ; kind = disease <|end|>
    <|tool|> <hit> 1 disease marfan syndrome : snippet <hit> 2 gene title : snippet <|assistant|>
    <think> thought <tool_call> read : 1 <tool_call> search : fbn1 <|end|>
    <|tool|> results of the first <|tool|> error : message of the second <|assistant|>
    <think> thought <answer> autosomal dominant <cite> 1 2 <|end|>

Hits are fenced by a control token, so a document cannot pretend to be another hit.
"""

import re
from collections.abc import Sequence

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
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Status, ToolCall, ToolResult

PAD, USER, ASSISTANT, TOOL, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"
THINK, CALL, ANSWER, CITE, HIT = "<think>", "<tool_call>", "<answer>", "<cite>", "<hit>"

MAIN_ARGUMENT = {"search": "query", "read": "doc_id"}
"""The argument that follows the colon; for any other tool ``query``."""

_ROLES = {THINK: Role.THOUGHT, CALL: Role.CALL, ANSWER: Role.ANSWER, CITE: Role.CITE, END: Role.END}
_OPTION = re.compile(r"\s*;\s*([a-z][a-z0-9_ ]*?)\s*=\s*([^;=]*?)\s*$", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)


class _Malformed(Exception):
    """Why a completion cannot be read."""


class CompactProtocol:
    """See the module's docstring."""

    name = "compact"
    version = 2
    control_tokens = (PAD, USER, ASSISTANT, TOOL, END, THINK, CALL, ANSWER, CITE, HIT)
    tags = ()

    def prompt(self, question_text: str, tool_schemas: Sequence[dict]) -> list[Segment]:
        """The question; tool schemas are not shown, the model learns its tools by training."""
        return [
            control(USER, Role.HEADER),
            text(question_text, Role.USER),
            control(ASSISTANT, Role.HEADER),
        ]

    def completion(self, turn: ParsedTurn) -> list[Segment]:
        """Thought, then calls or the answer with its labels, then ``<|end|>``."""
        if problem := turn_problem(turn):
            raise ValueError(f"a malformed turn has no written form: {problem}")
        segments = []
        if turn.thought.strip():
            segments += [control(THINK, Role.THOUGHT), text(turn.thought, Role.THOUGHT)]
        for call in turn.calls:
            segments += [control(CALL, Role.CALL), text(_write_call(call), Role.CALL)]
        if turn.answer_text is not None:
            segments += [control(ANSWER, Role.ANSWER), text(turn.answer_text, Role.ANSWER)]
        if turn.cited_labels:
            labels = " ".join(map(str, turn.cited_labels))
            segments += [control(CITE, Role.CITE), text(labels, Role.CITE)]
        return [*segments, control(END, Role.END)]

    def observation(self, results: Sequence[ToolResult]) -> list[Segment]:
        """``<|tool|>`` before each result, ``<hit>`` before each hit."""
        segments = []
        for result in results:
            segments.append(control(TOOL, Role.HEADER))
            for hit in result.hits:
                shown = " ".join(filter(None, (str(hit.label), hit.kind, hit.title)))
                shown += f" : {hit.snippet}" if hit.snippet else ""
                segments += [control(HIT, Role.HEADER), text(shown, Role.TOOL)]
            if result.status != Status.OK:
                segments.append(text(f"error : {result.text}", Role.TOOL))
            elif result.text:
                segments.append(text(result.text, Role.TOOL))
        return [*segments, control(ASSISTANT, Role.HEADER)]

    def parse(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> ParsedTurn:
        """What a completion says; a malformed one carries its error."""
        pieces = split_at_controls(token_ids, tokenizer)
        try:
            return checked(_read(pieces))
        except _Malformed as problem:
            thought = next((p.text.strip() for p in pieces if p.control == THINK), "")
            return ParsedTurn(thought=thought, error=str(problem), status=Status.MODEL_ERROR)

    def completion_roles(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> list[Role]:
        """The role of the last control token passed; before any, THOUGHT."""
        roles = []
        role = Role.THOUGHT
        for token_id in token_ids:
            role = _ROLES.get(tokenizer.control_name(int(token_id)) or "", role)
            roles.append(role)
        return roles

    def pad_id(self, tokenizer: Tokenizer) -> int:
        """Fills arrays; never sampled, and never told from others by its value."""
        return tokenizer.control(PAD)

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        """``<|end|>``, and the headers that no completion may contain."""
        return tuple(tokenizer.control(name) for name in (END, USER, ASSISTANT, TOOL, HIT))


def _read(pieces: Sequence[Piece]) -> ParsedTurn:
    """thought? (call+ | answer cite?) end, or _Malformed."""
    first, *rest = pieces
    if first.text.strip():
        raise _Malformed("text before the first control token")
    if not rest or rest[-1].control != END:
        raise _Malformed(f"does not end with {END}")
    if rest[-1].text:
        raise _Malformed(f"text after {END}")
    thought, calls, answer, labels = "", [], None, ()
    previous = ""
    for name, content in rest[:-1]:
        content = content.strip()
        if previous not in _MAY_FOLLOW.get(name, ()):
            raise _Malformed(f"{name} after {previous or 'the start'}")
        if name == THINK:
            thought = content
        elif name == CALL:
            calls.append(_read_call(content))
        elif name == ANSWER:
            answer = content
        else:
            labels = _read_labels(content)
        previous = name
    return ParsedTurn(thought=thought, calls=tuple(calls), answer_text=answer, cited_labels=labels)


_MAY_FOLLOW = {THINK: ("",), CALL: ("", THINK, CALL), ANSWER: ("", THINK), CITE: (ANSWER,)}


def _write_call(call: ToolCall) -> str:
    """``name : main argument ; option = value``; empty options are left out."""
    main = MAIN_ARGUMENT.get(call.name, "query")
    written = [f"{call.name} : {_value(call, main)}"]
    for option in sorted(call.arguments.keys() - {main}):
        if value := _value(call, option):
            written.append(f"{option} = {value}")
    return " ; ".join(written)


def _value(call: ToolCall, argument: str) -> str:
    value = call.arguments.get(argument)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(
            f"{call.name}.{argument}={value!r}: the compact protocol writes text and integers only"
        )
    return str(value)


def _read_call(content: str) -> ToolCall:
    name, colon, rest = content.partition(":")
    name = re.sub(r"\s*_\s*", "_", name.strip())
    if not colon or not _NAME.fullmatch(name):
        raise _Malformed("a tool call reads: name : argument")
    arguments: dict[str, str] = {}
    while found := _OPTION.search(rest):
        option = re.sub(r"\s*_\s*", "_", found[1])
        if option in arguments or not found[2]:
            raise _Malformed(f"option {option!r} is empty or given twice")
        arguments[option] = found[2]
        rest = rest[: found.start()]
    main = MAIN_ARGUMENT.get(name, "query")
    if not rest.strip() or main in arguments:
        raise _Malformed(f"the call of {name!r} has no argument, or has it twice")
    arguments[main] = rest.strip()
    return ToolCall(name=name, arguments=arguments)


def _read_labels(content: str) -> tuple[int, ...]:
    labels = [parse_label(word) for word in content.split()]
    if not labels or None in labels:
        raise _Malformed(f"{CITE} is followed by labels of hits, such as 3 7")
    return tuple(labels)
