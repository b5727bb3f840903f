"""What an endpoint sends, read strictly, and its failures sorted by what to do about them."""

import contextlib
import re
from typing import Any

import msgspec

from medr_jax.endpoint.errors import ContextTooLong, EndpointRefused
from medr_jax.endpoint.usage import Usage
from medr_jax.types import Record

CUT = "length"
"""``finish`` of an answer that ran out of tokens."""

_RETRIED = {408, 409, 425, 429}
_NO_QUOTA = re.compile(r"insufficient_quota|billing", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|too many tokens|prompt is too long",
    re.IGNORECASE,
)
_MAX_SHOWN = 300
"""Characters of an endpoint's own message that an error repeats."""


class CallText(Record):
    """A tool call as the model wrote it; ``arguments`` should be JSON."""

    call_id: str
    name: str
    arguments: str


class Reply(Record):
    """One message of the model."""

    content: str
    calls: tuple[CallText, ...] = ()
    finish: str = ""
    model: str = ""  # as the endpoint calls what answered
    usage: Usage = Usage()  # failed attempts included
    context_tokens: int = 0  # of the whole conversation, this message included; 0 = not told


class Failed(Exception):
    """A request that may be tried again."""

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, may_be_billed: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_be_billed = may_be_billed


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function
    id: str = ""


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None
    model: str = ""


def read_reply(body: bytes) -> Reply:
    """A chat completion. Raises Failed when the body is damaged or something else."""
    try:
        completion = msgspec.json.decode(body, type=_Completion)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise Failed(f"the answer is no chat completion: {problem}", may_be_billed=True) from None
    if not completion.choices:
        raise Failed("the answer holds no message", may_be_billed=True)
    choice = completion.choices[0]
    usage = completion.usage or _Usage()
    return Reply(
        content=choice.message.content or choice.message.refusal or "",
        calls=tuple(
            CallText(call_id=call.id, name=call.function.name, arguments=call.function.arguments)
            for call in choice.message.tool_calls or ()
        ),
        finish=choice.finish_reason or "",
        model=completion.model,
        usage=Usage(input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens),
        context_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def usage_or(reply: Reply, reserved: Usage) -> Usage:
    """The usage the endpoint told, or what was set aside where it told none."""
    return reply.usage if reply.usage.tokens else reserved


def with_usage(reply: Reply, usage: Usage) -> Reply:
    """The reply with what it cost, failed attempts included."""
    return msgspec.structs.replace(reply, usage=usage)


def failure_of(error: Any) -> Exception:
    """Failed, ContextTooLong or EndpointRefused for an error of the client library."""
    status = getattr(error, "status_code", None)
    if status is None:  # no connection, or it broke off
        cause = error.__cause__
        return Failed(f"{type(error).__name__}: {error}{f' ({cause})' if cause else ''}")
    message = f"HTTP {status}: {_short(error)}"
    if status in (400, 413, 422) and _TOO_LONG.search(_short(error)):
        return ContextTooLong(message)
    if status == 429 and _NO_QUOTA.search(_short(error)):
        return EndpointRefused(f"{message}; the account has no quota left")
    if status in _RETRIED or status >= 500:
        return Failed(message, retry_after_s=_retry_after(error))
    remedies = {
        401: "; check the key in the variable that endpoint.api_key_env names",
        403: "; the key may not use this model",
        404: "; check endpoint.base_url and endpoint.model",
    }
    return EndpointRefused(f"{message}{remedies.get(status, '')}")


def _short(error: Any) -> str:
    body = error.response.text
    return " ".join((body or str(error)).split())[:_MAX_SHOWN]


def _retry_after(error: Any) -> float | None:
    """Seconds that the endpoint asks to wait; its other form, a date, is not used."""
    with contextlib.suppress(TypeError, ValueError):
        seconds = float(error.response.headers.get("retry-after"))
        return seconds if seconds >= 0 else None
    return None
