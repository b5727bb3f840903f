"""Trajectories as JSON lines that other trainers read; docs/export.md says what each does with it.

- ``chatml``: ``{"id", "text"}``, the whole conversation as the ``chatml`` protocol writes it.
- ``verl``: ``{"id", "messages"}``, role and content; calls and results are written out, so that
  every row has the same columns whatever its calls' arguments are.
- ``trl``: ``{"id", "messages", "tools"}``, calls in ``tool_calls``, results as tool messages.
- ``tunix``: ``{"id", "input_tokens", "input_mask"}``, token ids of our ledger, whose mask is the
  one we train with.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from medr_jax.tokens import chatml
from medr_jax.tokens.chatml import ANSWER, ANSWER_SCHEMA, shown
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import Segment, get_protocol, trajectory_turns
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Trajectory

FORMATS = ("chatml", "verl", "trl", "tunix")

Row = dict[str, Any]
Writer = Callable[[Trajectory], Row]


def writer(
    name: str,
    tool_schemas: Sequence[dict],
    tokenizer: Tokenizer | None = None,
    protocol: str = "chatml",
) -> Writer:
    """What turns a trajectory into a row. ``tunix`` needs a tokenizer and its protocol.

    Raises:
        ValueError: an unknown format.
    """
    if name not in FORMATS:
        raise ValueError(f"format={name!r}: use one of {', '.join(FORMATS)}")
    if name == "chatml":
        return lambda trajectory: _named(trajectory, text=_text(_whole(trajectory, tool_schemas)))
    if name == "verl":
        return lambda trajectory: _named(
            trajectory, messages=list(_written_messages(trajectory, tool_schemas))
        )
    if name == "trl":
        tools = [
            {"type": "function", "function": dict(one)} for one in (*tool_schemas, ANSWER_SCHEMA)
        ]
        return lambda trajectory: _named(
            trajectory, messages=list(_typed_messages(trajectory)), tools=tools
        )
    assert tokenizer is not None
    return lambda trajectory: _tokens(trajectory, tokenizer, protocol, tool_schemas)


def columns(name: str) -> dict[str, str]:
    """Column -> what it holds, for the metadata."""
    return {
        "chatml": {"id": "trajectory id", "text": "the conversation in ChatML"},
        "verl": {"id": "trajectory id", "messages": "role and content of each message"},
        "trl": {
            "id": "trajectory id",
            "messages": "messages with tool calls",
            "tools": "JSON schemas of the tools",
        },
        "tunix": {
            "id": "trajectory id",
            "input_tokens": "token ids",
            "input_mask": "1 where the token is in the loss",
        },
    }[name]


def _named(trajectory: Trajectory, **columns: Any) -> Row:
    return {"id": trajectory.trajectory_id, **columns}


def _whole(trajectory: Trajectory, tool_schemas: Sequence[dict]) -> Iterator[Segment]:
    protocol = get_protocol("chatml")
    yield from protocol.prompt(trajectory.question.text, tool_schemas)
    turns = list(trajectory_turns(trajectory))
    for number, (turn, results) in enumerate(turns):
        yield from protocol.completion(turn)
        if number + 1 < len(turns):
            yield from protocol.observation(results)


def _text(segments: Iterator[Segment]) -> str:
    """Segments as one text, in which only our own control tokens are such."""
    return "".join(f"{segment.control}{_harmless(segment.text)}" for segment in segments)


def _harmless(text: str) -> str:
    """The text with control tokens in it broken by a space: other trainers encode all alike."""
    for token in chatml.ChatmlProtocol.control_tokens:
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _written_messages(
    trajectory: Trajectory, tool_schemas: Sequence[dict]
) -> Iterator[dict[str, str]]:
    """The ChatML text cut into its messages: exactly what the template would put together."""
    whole = _text(_whole(trajectory, tool_schemas))
    for part in whole.split(chatml.START)[1:]:
        role, _, content = part.partition("\n")
        yield {"role": role, "content": content.rstrip("\n").removesuffix(chatml.END)}


def _typed_messages(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    yield {"role": "user", "content": _harmless(trajectory.question.text)}
    for turn, results in trajectory_turns(trajectory):
        made = [(call.name, dict(call.arguments)) for call in turn.calls]
        if turn.answer_text is not None:
            arguments = {"text": turn.answer_text, "citations": list(turn.cited_labels)}
            made.append((ANSWER, arguments))
        calls = [
            {"type": "function", "function": {"name": name, "arguments": arguments}}
            for name, arguments in made
        ]
        yield {"role": "assistant", "content": _harmless(turn.thought), "tool_calls": calls}
        for call, result in zip(turn.calls, results, strict=True):
            yield {"role": "tool", "name": call.name, "content": _harmless(shown(result))}


def _tokens(
    trajectory: Trajectory, tokenizer: Tokenizer, protocol: str, tool_schemas: Sequence[dict]
) -> Row:
    ledger = ledger_from_trajectory(trajectory, tokenizer, get_protocol(protocol), tool_schemas)
    return _named(
        trajectory,
        input_tokens=ledger.token_ids.tolist(),
        input_mask=ledger.loss_mask.astype(int).tolist(),
    )
