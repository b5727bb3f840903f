"""What stands before a server's application: who may ask, from where, how much, how many."""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from medr_jax.serving.config import ServingConfig

HEALTH = "/health"
"""Answers without a token, so that whatever watches the server needs none."""

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Refused(Exception):
    """A request that does not reach the application."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Guard:
    """An ASGI application before another one. Bodies are read whole, up to the limit.

    With a token every request but ``/health`` must bear it. Without one, which is for loopback
    only, requests must name a loopback host and must not come from a page of another site: a
    browser on this machine can be made to send requests (DNS rebinding, cross-site forms).
    """

    def __init__(self, application: Application, config: ServingConfig, token: str) -> None:
        self._application = application
        self._config = config
        self._token = token.encode()
        self._active = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._admit(scope)
        except Refused as refused:
            await _answer(send, refused)
            return
        if scope["path"] == HEALTH:
            await self._application(scope, receive, _hardened(send))
            return
        self._active += 1
        try:
            body = await self._body(scope, receive)
            await self._application(scope, _replayed(body, receive), _hardened(send))
        except Refused as refused:
            await _answer(send, refused)
        finally:
            self._active -= 1

    def _admit(self, scope: Message) -> None:
        """Raises Refused for what the headers already tell."""
        if self._token:
            if scope["path"] != HEALTH:
                self._check_token(scope)
        else:
            self._check_origin(scope)
        length = _header(scope, b"content-length")
        if length.isdigit() and int(length) > self._config.max_request_bytes:
            raise self._too_large()
        if scope["path"] != HEALTH and self._active >= self._config.max_concurrent:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._config.max_concurrent} requests are under way; come back in a second",
                (b"retry-after", b"1"),
            )

    def _check_token(self, scope: Message) -> None:
        scheme, _, given = _header(scope, b"authorization").partition(b" ")
        right = hmac.compare_digest(given.strip(), self._token)
        if scheme.lower() != b"bearer" or not right:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "send the server's token: Authorization: Bearer ...",
                (b"www-authenticate", b"Bearer"),
            )

    def _check_origin(self, scope: Message) -> None:
        host = _header(scope, b"host")
        if not _is_loopback(f"//{host.decode('latin-1')}"):
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "ask for localhost or 127.0.0.1")
        origin = _header(scope, b"origin")
        if origin and not _is_loopback(origin.decode("latin-1")):
            raise Refused(HTTPStatus.FORBIDDEN, "pages of other sites may not use this server")

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(HTTPStatus.BAD_REQUEST, "the request broke off")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._config.max_request_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            limit = self._config.body_timeout_s
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {limit:g} s"
            ) from None

    def _too_large(self) -> Refused:
        limit = self._config.max_request_bytes
        return Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request is longer than {limit:,} bytes",
            (b"connection", b"close"),
        )


def _header(scope: Message, name: bytes) -> bytes:
    """The header's value; "" when it is absent or, which nobody honest does, given twice."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0] if len(values) == 1 else b""


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever else comes."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _hardened(send: Send) -> Send:
    """Adds headers to an application's answers: not to be kept, not to be taken for a page."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return hardened


async def _answer(send: Send, refused: Refused) -> None:
    body = msgspec.json.encode({"error": str(refused)})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *_HEADERS,
        *refused.headers,
    ]
    await send({"type": "http.response.start", "status": int(refused.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
