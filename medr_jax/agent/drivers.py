"""Runs episodes: one after the other, many at once with asyncio, or over an engine's slots."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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

TextPolicy = Callable[[NextTurn], ParsedTurn]
Progress = Callable[[int], object]  # called with the number of episodes that just ended


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
) -> list[Episode]:
    """Token episodes over the engine's slots, refilled as episodes end; results in order.

    Tool calls that come up in one step of the engine go to the tools as one batch.
    """
    scheduler = _Slots(enumerate(episodes), engine, tools, progress)
    try:
        while scheduler.fill():
            engine.step()
            scheduler.collect()
    finally:
        scheduler.close()
    return [scheduler.finished[index] for index in sorted(scheduler.finished)]


@dataclass(slots=True)
class _Row:
    index: int
    episode: TokenEpisode
    handle: Any = None
    opened: bool = False


class _Slots:
    """Rows in the engine's slots, and what became of those that ended."""

    def __init__(self, waiting, engine: SlotEngine, tools: Tools, progress: Progress | None):
        self.finished: dict[int, Episode] = {}
        self._waiting = waiting
        self._engine = engine
        self._tools = tools
        self._progress = progress
        self._rows: list[_Row] = []

    def fill(self) -> bool:
        """Starts waiting episodes in free slots; False when nothing is left to run."""
        while self._engine.num_free:
            if (entry := next(self._waiting, None)) is None:
                break
            row = _Row(*entry)
            self._rows.append(row)
            self._advance([(row, None)])
        return bool(self._rows)

    def collect(self) -> None:
        """Hands finished completions to their episodes and runs the tools they ask for."""
        version = self._engine.policy_version
        replies = []
        for row in self._rows:
            if (result := self._engine.result(row.handle)) is not None:
                sampled = Sampled(result.token_ids, result.logprobs, result.status, version)
                replies.append((row, sampled))
        self._advance(replies)

    def close(self) -> None:
        """Frees every slot still taken: after an error or an interruption."""
        for row in self._rows:
            row.episode.close()
            if row.opened:
                self._engine.close(row.handle)
        self._rows = []

    def _advance(self, replies: list[tuple[_Row, Any]]) -> None:
        while replies:
            asking = []
            for row, reply in replies:
                try:
                    request = row.episode.send(reply)
                except StopIteration as end:
                    self._finish(row, end.value)
                    continue
                if isinstance(request, CallTools):
                    asking.append((row, request.calls))
                else:
                    self._generate(row, request)
            replies = self._call(asking)

    def _call(self, asking: list[tuple[_Row, tuple[ToolCall, ...]]]) -> list[tuple[_Row, Any]]:
        if not asking:
            return []
        batch = [call for _, calls in asking for call in calls]
        results = self._tools.call_many(batch)
        assert len(results) == len(batch)
        remaining = iter(results)
        return [(row, tuple(itertools.islice(remaining, len(calls)))) for row, calls in asking]

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
