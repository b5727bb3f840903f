"""Calls tools: arguments checked, deadline kept, failures typed, output bounded."""

import functools
import logging
import weakref
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from medr_jax.retrieval.analysis import plain
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.base import Tool, ToolError, ToolOutput, check_arguments
from medr_jax.tools.read import ReadTool
from medr_jax.tools.search import SearchTool
from medr_jax.tools.workers import Job, ThreadWorkers
from medr_jax.types import Hit, Status, ToolCall, ToolResult

NO_RESULTS = "no results"
CUT = " ..."

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class ToolsConfig:
    """What tools return and how long they may take."""

    num_hits: int = 5
    snippet_words: int = 40  # per hit of a search
    read_words: int = 200  # of a document that is read
    timeout_s: float = 20.0  # per call, from when it starts
    num_workers: int = 4  # calls that run at the same time
    max_output_chars: int = 8000  # per call, titles and text together
    empty_results: bool = False  # the control: nothing is ever found

    def __post_init__(self) -> None:
        for field in ("num_hits", "snippet_words", "read_words", "num_workers"):
            if getattr(self, field) < 1:
                raise ValueError(f"tools.{field}={getattr(self, field)}: must be at least 1")
        if self.max_output_chars < 100:
            raise ValueError(
                f"tools.max_output_chars={self.max_output_chars}: must be at least 100, "
                "or error messages would not fit"
            )
        if not self.timeout_s > 0:
            raise ValueError(f"tools.timeout_s={self.timeout_s}: must be above 0 seconds")


class ToolRuntime:
    """A set of tools, safe to call from many threads.

    Every call has a result; no exception of a tool comes out. Statuses: ``TOOL_ERROR`` for an
    unknown tool or refused arguments, ``TIMEOUT`` for the deadline, ``INFRA_ERROR`` for any other
    exception. A failure's text says what happened; no hits are ``OK`` with "no results".
    """

    def __init__(self, tools: Sequence[Tool], config: ToolsConfig) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            raise ValueError(f"tools {[tool.name for tool in tools]}: names must differ")
        self._config = config
        self._workers = ThreadWorkers(config.num_workers)
        weakref.finalize(self, self._workers.close)

    def __enter__(self) -> "ToolRuntime":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the worker threads; later calls are INFRA_ERROR."""
        self._workers.close()

    def schemas(self) -> list[dict]:
        """Name, description and parameters of each tool, in the order given."""
        return [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in self._tools.values()
        ]

    def call(self, call: ToolCall) -> ToolResult:
        """Runs one call."""
        return self.call_many([call])[0]

    def call_many(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Runs calls at the same time; results in the order of the calls."""
        started = [self._start(call) for call in calls]
        return [
            state if isinstance(state, ToolResult) else self._finish(call, state)
            for call, state in zip(calls, started, strict=True)
        ]

    def _start(self, call: ToolCall) -> Job | ToolResult:
        tool = self._tools.get(call.name)
        # Models write null for an option that they do not use.
        arguments = {name: value for name, value in call.arguments.items() if value is not None}
        try:
            if tool is None:
                known = ", ".join(self._tools) or "none"
                raise ToolError(f"no tool {plain(call.name)[:60]!r}; there are: {known}")
            check_arguments(tool, arguments)
            if self._config.empty_results:
                return ToolResult(status=Status.OK, text=NO_RESULTS, call_id=call.call_id)
            return self._workers.submit(
                functools.partial(tool, **arguments), self._config.timeout_s
            )
        except ToolError as error:
            return self._failed(call, Status.TOOL_ERROR, str(error))
        except RuntimeError as error:
            return self._failed(call, Status.INFRA_ERROR, str(error))

    def _finish(self, call: ToolCall, job: Job) -> ToolResult:
        in_time = self._workers.wait(job)
        latency_ms = 1000 * (job.seconds if job.done.is_set() else job.timeout_s)
        if not in_time:
            message = f"{call.name} took longer than {job.timeout_s:g} s"
            return self._failed(call, Status.TIMEOUT, message, latency_ms)
        if isinstance(job.error, ToolError):
            return self._failed(call, Status.TOOL_ERROR, str(job.error), latency_ms)
        output, error = job.result, job.error
        if error is None and not isinstance(output, ToolOutput):
            error = TypeError(f"{call.name} returned {type(output).__name__}, not ToolOutput")
        if error is not None:
            _log.error("tool %s failed", call.name, exc_info=error)
            message = f"{call.name} failed on our side ({type(error).__name__})"
            return self._failed(call, Status.INFRA_ERROR, message, latency_ms)
        left = self._config.max_output_chars
        hits = tuple(_bounded(output.hits, left))
        left -= sum(len(hit.title) + len(hit.snippet) for hit in hits)
        text = _cut(plain(output.text), left) or ("" if hits else NO_RESULTS)
        return ToolResult(
            status=Status.OK, hits=hits, text=text, call_id=call.call_id, latency_ms=latency_ms
        )

    def _failed(
        self, call: ToolCall, status: Status, message: str, latency_ms: float = 0.0
    ) -> ToolResult:
        text = _cut(plain(message), self._config.max_output_chars) or str(status)
        return ToolResult(status=status, text=text, call_id=call.call_id, latency_ms=latency_ms)


def _bounded(hits: Sequence[Hit], max_chars: int) -> Iterator[Hit]:
    """Hits until the budget is used up; what does not fit is cut."""
    for hit in hits:
        if max_chars <= 0:
            return
        title = _cut(hit.title, max_chars)
        snippet = _cut(hit.snippet, max_chars - len(title))
        max_chars -= len(title) + len(snippet)
        yield msgspec.structs.replace(hit, title=title, snippet=snippet)


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    return text[: max_chars - len(CUT)] + CUT if max_chars > len(CUT) else ""


def standard_tools(
    engine: SearchEngine, config: ToolsConfig, *, exclude: Container[str] = frozenset()
) -> ToolRuntime:
    """``search`` and ``read`` over an index, without the documents in ``exclude``."""
    search = SearchTool(
        engine, num_hits=config.num_hits, snippet_words=config.snippet_words, exclude=exclude
    )
    read = ReadTool(engine, max_words=config.read_words, exclude=exclude)
    return ToolRuntime([search, read], config)
