"""Processes that train together stop together, and none waits for a dead one for ever."""

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator

import jax

from medr_jax import console, processes
from medr_jax.agent.drivers import OthersFailed

LOST = 75
"""Exit code of a process whose peer died: the sysexits code for "try again"."""

CHECK_S = 0.5


class Peers:
    """The other processes of a run, if there are any.

    A step needs all of them, so a process that dies leaves the others waiting in a collective
    operation, from which Python cannot return. ``progress`` is called after each thing that
    needed the others; when it was not for ``timeout_s``, the process says so and ends. Before
    the first step, which is compiled, only JAX's own coordinator watches.
    """

    def __init__(self, timeout_s: float) -> None:
        self.alone = jax.process_count() == 1
        self._timeout_s = timeout_s
        self._last: float | None = None
        self._done = "the start"

    def vote(self, signal_number: int) -> jax.Array | int:
        """The largest of all processes' numbers; of several, an array that is read later.

        Every process must call it once a step. One that reads a step's vote after starting the
        next step learns the same as all others, at the same step.
        """
        return signal_number if self.alone else processes.largest([signal_number])

    def progress(self, done: str) -> None:
        """Something that needed all processes has ended."""
        self._last, self._done = time.monotonic(), done

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Ends this process with a message where it would wait for a dead one, or fail with it."""
        if self.alone:
            yield
            return
        over = threading.Event()
        threading.Thread(target=self._watch, args=(over,), daemon=True).start()
        try:
            yield
        except jax.errors.JaxRuntimeError as problem:
            first = (str(problem).strip() or type(problem).__name__).splitlines()[0][:300]
            self._end(f"a step of all processes failed ({first})")
        except OthersFailed as problem:
            self._end(str(problem))
        finally:
            over.set()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(CHECK_S):
            heard = max(self._last or -math.inf, processes.last_agreement())
            waited = time.monotonic() - heard if heard > -math.inf else 0.0
            if waited > self._timeout_s:
                self._end(
                    f"nothing has ended for {waited:,.0f} s (watch.peer_timeout_s="
                    f"{self._timeout_s:g})"
                )

    def _end(self, what: str) -> None:
        console.error(
            f"process {jax.process_index()} of {jax.process_count()}, after {self._done}: {what}; "
            "another process is dead or stuck: see what each of them said. Start all of them "
            "again to go on from the newest checkpoint"
        )
        os._exit(LOST)  # an orderly exit would wait for the others once more
