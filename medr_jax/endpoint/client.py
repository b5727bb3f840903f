"""Asks an OpenAI-compatible endpoint, and gives back typed answers or typed failures.

Requests run on one event loop in a thread of its own, since only there a deadline holds against
a server that sends a byte now and then. Callers may be any number of threads.
"""

import asyncio
import concurrent.futures
import random
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from medr_jax import jsonl
from medr_jax.endpoint import schema as schemas
from medr_jax.endpoint import wire
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.endpoint.errors import (
    DeadlineExceeded,
    EndpointError,
    EndpointFailed,
    EndpointRefused,
    ModelFailed,
)
from medr_jax.endpoint.limits import Budget, Pace
from medr_jax.endpoint.usage import Usage
from medr_jax.endpoint.wire import Reply

T = TypeVar("T")
Message = Mapping[str, Any]

NO_KEY = "none"
"""Sent where an endpoint asks for no key; the client library wants one."""


class Endpoint:
    """A model behind an endpoint; safe to use from many threads."""

    def __init__(self, config: EndpointConfig) -> None:
        openai = import_openai()
        self.config = config.checked()
        self.budget = Budget(config)
        self._key = config.api_key()
        self._random = random.Random()  # jitter must differ between processes
        self._pace = Pace(config.requests_per_minute)
        self._client = openai.AsyncOpenAI(
            base_url=config.base_url, api_key=self._key or NO_KEY, max_retries=0
        )
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends requests under way; who waits for one gets EndpointFailed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True  # what was taken in before is on the loop, and is cancelled there
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def model(self) -> str:
        """The model as the endpoint names it."""
        return self.config.model

    def task_deadline(self) -> float:
        """Until when a task that starts now may take, by ``time.monotonic``."""
        return time.monotonic() + self.config.task_timeout_s

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        deadline: float | None = None,
    ) -> Reply:
        """The model's next message; ``tools`` are name, description and parameters of each.

        Raises:
            EndpointError: a failure of this request; see ``medr_jax.endpoint.errors``.
            EndpointRefused, BudgetSpent: the job cannot go on.
        """
        extra: dict[str, Any] = {}
        if tools:
            extra["tools"] = [{"type": "function", "function": dict(tool)} for tool in tools]
        return self._run(self._ask(messages, extra, deadline or self.task_deadline()))

    def complete(
        self,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        *,
        deadline: float | None = None,
    ) -> dict[str, Any]:
        """An answer that fits a JSON schema. Text that is not all of it such JSON is refused.

        Raises:
            ModelFailed: after ``max_reasks`` further answers none fits.
            EndpointError, EndpointRefused, BudgetSpent: as for ``chat``.
        """
        return self.complete_counted(messages, schema, deadline=deadline)[0]

    def complete_counted(
        self,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        *,
        deadline: float | None = None,
    ) -> tuple[dict[str, Any], Usage]:
        """``complete``, and what it used."""
        wanted = schemas.type_of(schema)
        described = {"name": "answer", "schema": dict(schema), "strict": True}
        extra = {"response_format": {"type": "json_schema", "json_schema": described}}
        deadline = deadline or self.task_deadline()
        used, problem = Usage(), ""
        for _ in range(1 + self.config.max_reasks):
            try:
                reply = self._run(self._ask(messages, extra, deadline))
            except EndpointError as failure:
                failure.usage += used
                raise
            used += reply.usage
            if reply.finish == wire.CUT:
                problem = f"cut off after {self.config.max_completion_tokens} tokens"
                continue
            try:
                return schemas.read(reply.content, wanted), used
            except ValueError as unfit:
                problem = str(unfit)
        failed = ModelFailed(f"no answer fits the schema: {problem}")
        failed.usage = used
        raise failed

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._closed:
                work.close()
                raise EndpointFailed("the client was closed")
            running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except concurrent.futures.CancelledError:
            raise EndpointFailed("the client was closed") from None

    async def _shut(self) -> None:
        own = asyncio.current_task()
        running = [task for task in asyncio.all_tasks() if task is not own]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._client.close()

    async def _ask(
        self, messages: Sequence[Message], extra: Mapping[str, Any], deadline: float
    ) -> Reply:
        """One answer; what was spent on the way to it, or to its failure, is told with it."""
        body = {"messages": list(messages), **extra}
        spent: list[Usage] = []
        try:
            reply = await self._retried(body, deadline, spent)
        except EndpointError as failure:
            failure.usage = sum(spent, Usage())
            raise
        return wire.with_usage(reply, sum(spent, Usage()))

    async def _retried(self, body: Mapping[str, Any], deadline: float, spent: list[Usage]) -> Reply:
        """One answer, asked for again while the endpoint fails and there is time."""
        num_bytes = len(jsonl.encode(body))
        for attempt in range(1 + self.config.max_retries):
            await self._pace.wait(deadline)
            reserved = self.budget.reserve(num_bytes)
            used = Usage()
            try:
                reply = await self._request(body, deadline)
                used = wire.usage_or(reply, reserved)
                return reply
            except wire.Failed as failed:
                problem = failed
                # Whoever was cut off may have been billed for all of it.
                used = reserved if failed.may_be_billed else Usage()
            finally:
                used += Usage(requests=1)
                spent.append(used)
                self.budget.settle(reserved, used)
            if attempt < self.config.max_retries:
                await self._back_off(attempt, problem, deadline)
        raise EndpointFailed(self._scrubbed(f"after {attempt + 1} requests: {problem}"))

    async def _request(self, body: Mapping[str, Any], deadline: float) -> Reply:
        config = self.config
        left_s = deadline - time.monotonic()
        try:
            async with asyncio.timeout(min(config.timeout_s, left_s)):
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=config.model,
                    temperature=config.temperature,
                    max_tokens=config.max_completion_tokens,
                    timeout=None,  # the client library's own starts anew with every byte
                    **body,
                )
                return wire.read_reply(raw.http_response.content)
        except TimeoutError:
            if left_s <= config.timeout_s:
                raise DeadlineExceeded(
                    f"no answer within the task's time, {left_s:.1f} s"
                ) from None
            raise wire.Failed(
                f"no whole answer within {config.timeout_s:g} s", may_be_billed=True
            ) from None
        except import_openai().OpenAIError as error:
            raise self._typed(error) from None

    def _typed(self, error: Exception) -> Exception:
        found = wire.failure_of(error)
        if isinstance(found, EndpointRefused):
            return EndpointRefused(
                self._scrubbed(f"{self.config.base_url}, model {self.config.model}: {found}")
            )
        return found

    async def _back_off(self, attempt: int, failed: wire.Failed, deadline: float) -> None:
        """Waits half to all of a doubling time, or as long as the endpoint asks for."""
        most = min(self.config.max_backoff_s, self.config.backoff_s * 2**attempt)
        wait_s = most * (1 + self._random.random()) / 2
        if failed.retry_after_s is not None:
            wait_s = min(self.config.max_backoff_s, failed.retry_after_s) + wait_s / 10
            self._pace.pause(wait_s)
        if time.monotonic() + wait_s >= deadline:
            raise DeadlineExceeded(self._scrubbed(f"no time for another request after: {failed}"))
        await asyncio.sleep(wait_s)

    def _scrubbed(self, text: str) -> str:
        return text.replace(self._key, "<key>") if self._key else text


def import_openai() -> Any:
    """The client library. Raises ValueError naming the extra that brings it."""
    try:
        import openai
    except ImportError:
        raise ValueError(
            "endpoints need the openai package: pip install 'medr-jax[endpoint]'"
        ) from None
    return openai
