"""Calls tools: arguments checked, deadline kept, failures typed, output bounded."""

import functools
import logging
import weakref
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from medr_jax.diagnosis.diagnose import Diagnosis
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval.analysis import plain
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.base import Tool, ToolError, ToolOutput, check_arguments
from medr_jax.tools.calculator import CalculatorTool
from medr_jax.tools.call_log import CallLog
from medr_jax.tools.config import ToolName, ToolsConfig
from medr_jax.tools.diagnose import DiagnoseTool
from medr_jax.tools.failures import injected
from medr_jax.tools.lookup import LookupTool
from medr_jax.tools.read import ReadTool
from medr_jax.tools.search import SearchTool
from medr_jax.tools.web import WebReadTool, WebSearchTool
from medr_jax.tools.workers import Job, ThreadWorkers
from medr_jax.types import Hit, Status, ToolCall, ToolResult

NO_RESULTS = "no results"
CUT = " ..."
UNKNOWN = "(unknown)"  # under which the log counts calls of tools that do not exist

_log = logging.getLogger(__name__)


class ToolRuntime:
    """A set of tools, safe to call from many threads.

    Every call has a result; no exception of a tool comes out. Statuses: ``TOOL_ERROR`` for an
    unknown tool or refused arguments, ``TIMEOUT`` for the deadline, ``INFRA_ERROR`` for any other
    exception. A failure's text says what happened; no hits are ``OK`` with "no results".
    ``log`` counts calls and latencies.
    """

    def __init__(self, tools: Sequence[Tool], config: ToolsConfig) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            raise ValueError(f"tools {[tool.name for tool in tools]}: names must differ")
        self._config = config
        self.log = CallLog()
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
        results = [
            state if isinstance(state, ToolResult) else self._finish(call, state)
            for call, state in zip(calls, started, strict=True)
        ]
        for call, result in zip(calls, results, strict=True):
            name = call.name if call.name in self._tools else UNKNOWN
            self.log.add(name, result.status, result.latency_ms)
        return results

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
            if failure := injected(call, self._config.failures, self._config.timeout_s):
                return self._failed(call, failure.status, failure.message)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What tools look things up in; a graph and a diagnosis are only opened when needed."""

    engine: SearchEngine
    graph: Callable[[], KnowledgeGraph] | None = None
    diagnosis: Callable[[], Diagnosis] | None = None


def standard_tools(
    sources: SearchEngine | Sources,
    config: ToolsConfig,
    *,
    exclude: Container[str] = frozenset(),
    benchmark_sites: bool = False,
) -> ToolRuntime:
    """The tools that ``config.names`` lists, without the documents and entities in ``exclude``.

    Web tools keep away from sites that carry benchmarks, unless ``benchmark_sites``: for whatever
    neither trains nor tests.

    Raises:
        ValueError: a tool is listed whose graph or diagnosis is not among the sources.
    """
    if not isinstance(sources, Sources):
        sources = Sources(engine=sources)
    return ToolRuntime(
        [_tool(name, sources, config, exclude, benchmark_sites) for name in config.names], config
    )


def _tool(
    name: ToolName,
    sources: Sources,
    config: ToolsConfig,
    exclude: Container[str],
    benchmark_sites: bool,
) -> Tool:
    match name:
        case ToolName.search:
            return SearchTool(
                sources.engine,
                num_hits=config.num_hits,
                snippet_words=config.snippet_words,
                exclude=exclude,
                max_hits=config.max_hits,
                max_queries=config.max_queries,
            )
        case ToolName.read:
            return ReadTool(
                sources.engine,
                max_words=config.read_words,
                exclude=exclude,
                sections=config.read_sections,
            )
        case ToolName.lookup:
            graph = _needed(name, "graph", sources.graph)
            return LookupTool(graph(), facts_per_page=config.facts_per_page, exclude=exclude)
        case ToolName.diagnose:
            diagnosis = _needed(name, "diagnosis", sources.diagnosis)
            return DiagnoseTool(diagnosis(), exclude=exclude)
        case ToolName.calculator:
            return CalculatorTool()
        case ToolName.web_search:
            return WebSearchTool(
                config.web, num_hits=config.num_hits, benchmark_sites=benchmark_sites
            )
        case ToolName.web_read:
            return WebReadTool(
                config.web, max_words=config.read_words, benchmark_sites=benchmark_sites
            )


def _needed(name: ToolName, what: str, source: Callable | None) -> Callable:
    if source is None:
        raise ValueError(
            f"tools.names holds {name}, which needs a {what} that this command does not give; "
            f"leave {name} out"
        )
    return source
