"""The pace of requests, and what they cost."""

import asyncio
import threading
import time

from medr_jax.endpoint.config import EndpointConfig
from medr_jax.endpoint.errors import BudgetSpent, DeadlineExceeded
from medr_jax.endpoint.usage import Usage, cost_usd

BYTES_PER_TOKEN = 3
"""For an upper estimate of a prompt's tokens before the endpoint has counted them."""


class Budget:
    """What was spent, and what requests under way may still cost; safe for many threads.

    A request is allowed when the budget would hold even if the answer were as long as it may be.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._spent = Usage()
        self._reserved = Usage()
        self._lock = threading.Lock()

    @property
    def spent(self) -> Usage:
        """All usage so far, that of earlier runs included."""
        return self._spent

    def spend(self, usage: Usage) -> None:
        """Counts what was spent before, by earlier runs of the same job."""
        with self._lock:
            self._spent += usage

    def reserve(self, prompt_bytes: int) -> Usage:
        """Sets aside the most that a request can cost.

        Raises:
            BudgetSpent: there is not that much left.
        """
        config = self._config
        most = Usage(
            input_tokens=-(-prompt_bytes // BYTES_PER_TOKEN),
            output_tokens=config.max_completion_tokens,
        )
        with self._lock:
            after = self._spent + self._reserved + most
            if config.budget_tokens and after.tokens > config.budget_tokens:
                raise BudgetSpent(
                    f"endpoint.budget_tokens={config.budget_tokens}: {self._spent.tokens} are "
                    "spent and the next request may need more than is left; raise it and run the "
                    "same command to go on"
                )
            if config.budget_usd and cost_usd(after, config) > config.budget_usd:
                raise BudgetSpent(
                    f"endpoint.budget_usd={config.budget_usd:g}: "
                    f"{cost_usd(self._spent, config):.4f} are spent and the next request may need "
                    "more than is left; raise it and run the same command to go on"
                )
            self._reserved += most
        return most

    def settle(self, reserved: Usage, used: Usage) -> None:
        """Gives a reservation back and counts what the request did cost."""
        with self._lock:
            self._reserved -= reserved
            self._spent += used


class Pace:
    """Spaces requests evenly; all of them wait while the endpoint asks for a pause.

    Lives on one event loop. Times are of ``time.monotonic``.
    """

    def __init__(self, requests_per_minute: float) -> None:
        self._gap_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0

    def pause(self, seconds: float) -> None:
        """No request starts before ``seconds`` from now."""
        self._next = max(self._next, time.monotonic() + seconds)

    async def wait(self, deadline: float) -> None:
        """Returns when it is this request's turn.

        Raises:
            DeadlineExceeded: its turn comes only after the deadline.
        """
        now = time.monotonic()
        turn = max(now, self._next)
        if turn >= deadline:
            raise DeadlineExceeded("the task's time is up before the next request may start")
        self._next = turn + self._gap_s
        await asyncio.sleep(turn - now)
