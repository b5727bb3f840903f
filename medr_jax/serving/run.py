"""Starts a server and ends it on a signal."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from medr_jax import console
from medr_jax.serving.config import ServingConfig, Transport
from medr_jax.serving.desk import Desk
from medr_jax.serving.guard import Guard
from medr_jax.tools.runtime import ToolRuntime

_MAX_HEADER_BYTES = 16_384
_CONNECTIONS_PER_REQUEST = 8  # idle ones included
_BACKLOG = 256
_GRACE_S = 5


def serve(
    tools: ToolRuntime,
    config: ServingConfig,
    *,
    facts: dict[str, Any] | None = None,
    version: str = "0",
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves the tools until SIGINT or SIGTERM, or until standard input closes (``mcp_stdio``).

    Args:
        facts: about the index, for ``GET /tools``.
        ready: told the server's address once it listens.

    Raises:
        ValueError: a package is missing, no token where one is needed, or the port is taken.
    """
    token = config.token()
    desk = Desk(tools, max_concurrent=config.max_concurrent, query_log=config.query_log)
    try:
        if config.transport is Transport.mcp_stdio:
            _serve_stdio(desk, version)
        else:
            application = _application(desk, config, facts or {}, version)
            _serve_http(Guard(application, config, token), config, bool(token), ready)
    finally:
        desk.close()
        for name, row in desk.summary().items():
            console.say(f"  {name}: {row['calls']:,} calls, {row['statuses']}")


def check_installed(config: ServingConfig) -> None:
    """Raises ValueError, with the command to install them, where packages are missing."""
    try:
        import uvicorn  # noqa: F401

        if config.transport is Transport.http:
            import fastapi  # noqa: F401
        else:
            import mcp.server.lowlevel  # noqa: F401
    except ImportError as missing:
        raise ValueError(
            f"{missing.name} is not installed: pip install 'medr-jax[serve]'"
        ) from None


def _application(desk: Desk, config: ServingConfig, facts: dict[str, Any], version: str) -> Any:
    check_installed(config)
    if config.transport is Transport.http:
        from medr_jax.serving.http import application

        return application(desk, facts, version=version)
    from medr_jax.serving.mcp import http_application

    return http_application(desk, version=version, max_request_bytes=config.max_request_bytes)


def _serve_stdio(desk: Desk, version: str) -> None:
    check_installed(ServingConfig(transport=Transport.mcp_stdio))
    from medr_jax.serving.mcp import run_stdio

    with _ended_by_signals():
        asyncio.run(run_stdio(desk, version=version))


def _serve_http(
    guard: Guard, config: ServingConfig, has_token: bool, ready: Callable[[str], None] | None
) -> None:
    import uvicorn

    listening = _listen(config)
    server = uvicorn.Server(
        uvicorn.Config(
            guard,
            http="h11",  # the one that bounds headers
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            limit_concurrency=_CONNECTIONS_PER_REQUEST * config.max_concurrent,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=config.certificate or None,
            ssl_keyfile=config.private_key or None,
        )
    )
    address = _address(config, listening)
    console.say(
        f"serving      {address}  ({'token required' if has_token else 'this machine only'})"
    )
    if not config.certificate and not config.is_local:
        console.say("  no TLS: put a proxy with it before this server, or give serving.certificate")
    if ready is not None:
        ready(address)
    with _ended_by_signals():
        server.run(sockets=[listening])


def _listen(config: ServingConfig) -> socket.socket:
    family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = "another server has it; choose another, or 0" if taken else error.strerror
        raise ValueError(
            f"serving.host={config.host} serving.port={config.port}: {remedy}"
        ) from None


def _address(config: ServingConfig, listening: socket.socket) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if config.certificate else "http"
    path = "/mcp" if config.transport is Transport.mcp_http else ""
    return f"{scheme}://{host}:{listening.getsockname()[1]}{path}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, and either is how a server is meant to end."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
