"""SIGINT and SIGTERM as requests to stop at the next step, not in the middle of one."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from medr_jax import console

TERMINATED = 143
"""Exit code after SIGTERM: 128 + 15, as a shell reports it."""


class StopRequest:
    """Whether someone asked to stop, and which signal it was."""

    def __init__(self) -> None:
        self.signal_number = 0  # the one that this process got
        self.agreed = 0  # the one that all processes of the run act on, from the same step on

    def leave(self, message: str) -> None:
        """Says ``message`` and how to go on, then ends as the signal asks.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM, with code 143.
        """
        console.say(f"{message}; run the same command to go on")
        if self.agreed == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collects signals while it is open; a second one acts at once, as it would without.

    Outside the main thread, where Python cannot handle signals, nothing is ever requested.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {
        number: signal.getsignal(number) or signal.SIG_DFL
        for number in (signal.SIGINT, signal.SIGTERM)
    }

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def request(number: int, _frame: object) -> None:
        stop.signal_number = number
        console.say("stopping after this step (once more to stop at once, losing it)")
        restore()

    for number in previous:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        restore()
