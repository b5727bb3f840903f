"""Takes calls from a server's event loop to the tools, which block."""

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from medr_jax import jsonl
from medr_jax.tools.runtime import ToolRuntime
from medr_jax.types import Record, ToolCall, ToolResult


class LoggedCall(Record):
    """A line of ``serving.query_log``."""

    time: str  # UTC
    tool: str
    arguments: dict[str, Any]
    status: str
    latency_ms: float


class Desk:
    """The tools of a server. Of calls nothing is kept but counts, unless a query log is asked for.

    Args:
        max_concurrent: calls that may be under way or wait for a worker of the runtime.
        query_log: file that calls with their arguments are appended to; "" = none.
    """

    def __init__(self, tools: ToolRuntime, *, max_concurrent: int, query_log: str = "") -> None:
        self._tools = tools
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix="tool-call")
        self._log = Path(query_log) if query_log else None
        self._lock = threading.Lock()
        if self._log:
            self._log.parent.mkdir(parents=True, exist_ok=True)

    def schemas(self) -> list[dict]:
        """Name, description and parameters of each tool."""
        return self._tools.schemas()

    def summary(self) -> dict[str, dict[str, Any]]:
        """Calls, statuses and latencies of each tool so far."""
        return self._tools.log.summary()

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Runs one call; the runtime keeps its deadline and types its failures."""
        made = ToolCall(name=name, arguments=dict(arguments))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, made)

    def close(self) -> None:
        """Lets calls under way end and starts no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: ToolCall) -> ToolResult:
        result = self._tools.call(call)
        if self._log:
            line = LoggedCall(
                time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                tool=call.name,
                arguments=dict(call.arguments),
                status=str(result.status),
                latency_ms=round(result.latency_ms, 3),
            )
            with self._lock, self._log.open("ab") as out:
                out.write(jsonl.encode(line) + b"\n")
        return result
