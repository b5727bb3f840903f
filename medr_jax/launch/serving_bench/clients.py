"""Real clients, each with a connection of its own, and the load that they make together."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from medr_jax.launch.serving_bench.calls import Call
from medr_jax.serving.config import Transport

TIMEOUT_S = 60.0

Ask = Callable[[str, dict[str, Any]], Awaitable[str]]
"""(tool, arguments) -> what went wrong; "" when nothing did."""


class Sample(NamedTuple):
    """One call as its client saw it."""

    tool: str
    latency_ms: float
    error: str


def connect(transport: Transport, address: str, token: str) -> AbstractAsyncContextManager[Ask]:
    """A client of its own connection."""
    return (_http if transport is Transport.http else _mcp)(address, token)


@asynccontextmanager
async def _http(address: str, token: str) -> AsyncIterator[Ask]:
    async with _web_client(token) as client:

        async def ask(tool: str, arguments: dict[str, Any]) -> str:
            response = await client.post(f"{address}/tools/{tool}", json=arguments)
            return "" if response.status_code == 200 else response.text

        yield ask


@asynccontextmanager
async def _mcp(address: str, token: str) -> AsyncIterator[Ask]:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        _web_client(token) as web,
        Client(streamable_http_client(address, http_client=web)) as client,
    ):

        async def ask(tool: str, arguments: dict[str, Any]) -> str:
            result = await client.call_tool(tool, arguments)
            return str(result.content) if result.is_error else ""

        yield ask


def _web_client(token: str) -> Any:
    import httpx2  # comes with the MCP SDK

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S)


async def load(
    connecting: Callable[[], AbstractAsyncContextManager[Ask]],
    calls: Sequence[Call],
    *,
    num_clients: int,
    seconds: float,
) -> list[Sample]:
    """Every client connects, then asks one call after the other until the time is over."""
    samples: list[Sample] = []
    connected = asyncio.Barrier(num_clients)

    async def work(number: int) -> None:
        async with connecting() as ask:
            await connected.wait()
            deadline = time.perf_counter() + seconds
            position = number * len(calls) // num_clients
            while time.perf_counter() < deadline:
                tool, arguments = calls[position % len(calls)]
                position += 1
                samples.append(await _timed(ask, tool, arguments))

    async with asyncio.TaskGroup() as group:
        for number in range(num_clients):
            group.create_task(work(number))
    return samples


async def _timed(ask: Ask, tool: str, arguments: dict[str, Any]) -> Sample:
    start = time.perf_counter()
    try:
        error = await ask(tool, arguments)
    except Exception as problem:  # whatever a client raises is an error to be counted
        error = f"{type(problem).__name__}: {problem}"
    return Sample(tool, 1000 * (time.perf_counter() - start), error)
