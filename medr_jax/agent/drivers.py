"""Runs episodes: one after the other, many at once with asyncio, or over an engine's slots."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from medr_jax.agent.loop import (
    CallTools,
    Episode,
    Generate,
    NextTurn,
    Sampled,
    TextEpisode,
    TokenEpisode,
)
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.types import ToolCall, ToolResult, Trajectory

T = TypeVar("T")

TextPolicy = Callable[[NextTurn], ParsedTurn]
Progress = Callable[[int], object]  # called with the number of episodes that just ended


class OthersFailed(RuntimeError):
    """Another process of the run failed while this one sampled."""


class Tools(Protocol):
    """What runs tool calls, such as ``medr_jax.tools.runtime.ToolRuntime``."""

    def call_many(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """One typed result for each call, in order; does not raise for a failing tool."""


class SlotEngine(Protocol):
    """What samples completions for many rollouts at once.

    Sampling noise must depend on the rollout, its turn and the position only, so that results
    do not depend on the number of slots.
    """

    num_free: int  # slots that ``open`` can still give
    policy_version: int  # of the weights that sample now

    def open(self, rollout_id: str) -> Any:
        """Takes a free slot and returns a handle on it."""

    def extend(self, handle: Any, new_ids: Sequence[int], max_tokens: int, turn: int) -> None:
        """Appends context to a rollout and asks for one completion of at most ``max_tokens``."""

    def largest(self, number: int) -> int:
        """The largest number of all processes that sample together; each gives one."""

    def step(self) -> None:
        """Samples a few tokens for every rollout that waits for a completion."""

    def result(self, handle: Any) -> Any:
        """None while it runs, then ``token_ids``, ``logprobs`` and ``status`` as attributes."""

    def close(self, handle: Any) -> None:
        """Frees the slot."""


def run_sequential(episode: TextEpisode, policy: TextPolicy, tools: Tools) -> Trajectory:
    """One text episode from start to end."""
    try:
        request = next(episode)
        while True:
            if isinstance(request, NextTurn):
                request = episode.send(policy(request))
            else:
                request = episode.send(tuple(tools.call_many(request.calls)))
    except StopIteration as end:
        return end.value


async def run_async(
    episodes: Iterable[TextEpisode],
    policy: TextPolicy | Callable[[NextTurn], Awaitable[ParsedTurn]],
    tools: Tools,
    *,
    concurrency: int = 8,
    progress: Progress | None = None,
) -> list[Trajectory]:
    """Text episodes at once, ``concurrency`` at a time; results in the order of ``episodes``.

    Tools run in threads, and so does a policy that is no coroutine function.
    """
    gate = asyncio.Semaphore(concurrency)
    direct = inspect.iscoroutinefunction(policy) or inspect.iscoroutinefunction(
        getattr(policy, "__call__", None)  # noqa: B004 - the method itself is wanted
    )

    async def reply_to(request: NextTurn | CallTools) -> ParsedTurn | tuple[ToolResult, ...]:
        if isinstance(request, CallTools):
            return tuple(await asyncio.to_thread(tools.call_many, request.calls))
        return await (policy(request) if direct else asyncio.to_thread(policy, request))

    async def run(episode: TextEpisode) -> Trajectory:
        async with gate:
            try:
                request = next(episode)
                while True:
                    request = episode.send(await reply_to(request))
            except StopIteration as end:
                if progress:
                    progress(1)
                return end.value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(episode)) for episode in episodes]
    return [task.result() for task in tasks]


def run_slots(
    episodes: Iterable[TokenEpisode],
    engine: SlotEngine,
    tools: Tools,
    progress: Progress | None = None,
    *,
    overlap: bool = False,
) -> list[Episode]:
    """Token episodes over the engine's slots, refilled as episodes end; results in order.

    Each episode's tool calls run in a thread of their own, under the tools' own deadlines. With
    ``overlap`` the other rollouts go on sampling meanwhile, and a call that hangs costs its own
    rollout only. Without, the engine's next step waits for all calls of this one: then what is
    in a dispatch together does not depend on how long anything took.

    Processes that share an engine's mesh all call this, each with its own episodes. They step
    together until the last rollout of all has ended.
    """
    threads = ThreadPoolExecutor(max(engine.num_free, 1), thread_name_prefix="episode-tools")
    scheduler = _Slots(enumerate(episodes), engine, tools, progress, threads)
    try:
        while state := engine.largest(_or_tell(engine, scheduler.fill)):
            if state == _FAILED:
                raise OthersFailed("another process failed while all of them sampled")
            if state == _SAMPLES:
                engine.step()
                _or_tell(engine, lambda: scheduler.collect(wait_for_tools=not overlap))
            else:  # nobody has anything to sample before a tool answers
                _or_tell(engine, scheduler.wait_for_a_tool)
    finally:
        scheduler.close()
        threads.shutdown(wait=False, cancel_futures=True)
    return [scheduler.finished[index] for index in sorted(scheduler.finished)]


_ENDED, _WAITS, _SAMPLES = 0, 1, 2  # of a process's rollouts: the most that one of them does
_FAILED = 3
_LOOK_S = 0.05  # between looks at tools that all wait for


def _or_tell(engine: SlotEngine, work: Callable[[], T]) -> T:
    """The work's result; where it fails, the other processes learn it at their next vote."""
    try:
        return work()
    except BaseException:
        engine.largest(_FAILED)
        raise


@dataclass(slots=True)
class _Row:
    index: int
    episode: TokenEpisode
    handle: Any = None
    opened: bool = False
    tools: Future | None = None  # the results of its tool calls, while it waits for them


class _Slots:
    """Rows in the engine's slots, and what became of those that ended."""

    def __init__(
        self,
        waiting,
        engine: SlotEngine,
        tools: Tools,
        progress: Progress | None,
        threads: ThreadPoolExecutor,
    ):
        self.finished: dict[int, Episode] = {}
        self._waiting = waiting
        self._engine = engine
        self._tools = tools
        self._progress = progress
        self._threads = threads
        self._rows: list[_Row] = []

    def fill(self) -> int:
        """Starts waiting episodes in free slots; says if some sample, all wait, or none is left."""
        while self._engine.num_free and (entry := next(self._waiting, None)) is not None:
            row = _Row(*entry)
            self._rows.append(row)
            self._advance(row, None)
        if not self._rows:
            return _ENDED
        return _WAITS if all(row.tools for row in self._rows) else _SAMPLES

    def wait_for_a_tool(self) -> None:
        """A moment, or less where a tool answers: others' tools may be faster."""
        wait([row.tools for row in self._rows], _LOOK_S, return_when=FIRST_COMPLETED)
        self._hand_out_results()

    def collect(self, *, wait_for_tools: bool) -> None:
        """Hands finished completions, and tool results that are there, to their episodes."""
        version = self._engine.policy_version
        for row in list(self._rows):
            if row.tools is None and (result := self._engine.result(row.handle)) is not None:
                self._advance(
                    row, Sampled(result.token_ids, result.logprobs, result.status, version)
                )
        if wait_for_tools:
            wait([row.tools for row in self._rows if row.tools])
        self._hand_out_results()

    def close(self) -> None:
        """Frees every slot still taken: after an error or an interruption."""
        for row in self._rows:
            row.episode.close()
            if row.opened:
                self._engine.close(row.handle)
        self._rows = []

    def _hand_out_results(self) -> None:
        for row in list(self._rows):
            if row.tools and row.tools.done():
                results, row.tools = row.tools.result(), None
                self._advance(row, results)

    def _advance(self, row: _Row, reply: Any) -> None:
        try:
            request = row.episode.send(reply)
        except StopIteration as end:
            self._finish(row, end.value)
            return
        if isinstance(request, CallTools):
            row.tools = self._threads.submit(self._call, request.calls)
        else:
            self._generate(row, request)

    def _call(self, calls: tuple[ToolCall, ...]) -> tuple[ToolResult, ...]:
        results = tuple(self._tools.call_many(calls))
        assert len(results) == len(calls)
        return results

    def _generate(self, row: _Row, request: Generate) -> None:
        if not row.opened:
            row.handle = self._engine.open(request.rollout_id)
            row.opened = True
        self._engine.extend(row.handle, request.new_ids, request.max_tokens, request.turn)

    def _finish(self, row: _Row, episode: Episode) -> None:
        self.finished[row.index] = episode
        self._rows.remove(row)
        if row.opened:
            self._engine.close(row.handle)
        if self._progress:
            self._progress(1)
