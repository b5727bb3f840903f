"""Threads that run jobs under a deadline, and replace those that do not come back."""

import ctypes
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

_POLL_S = 0.05


class Stopped(BaseException):
    """Raised inside a job that overran. No Exception, so that a tool does not swallow it."""


class Job:
    """A call in progress. ``result`` or ``error`` holds once ``done`` is set."""

    def __init__(self, function: Callable[[], Any], timeout_s: float) -> None:
        self._function = function
        self.timeout_s = timeout_s
        self.started = threading.Event()
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.thread_id = 0
        self.replaced = False  # another thread has taken the place of the one that runs this
        self.start_time = 0.0
        self.seconds = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of a job that has started."""
        return self.start_time + self.timeout_s - time.perf_counter()

    def run(self) -> None:
        """Runs in a worker; catches everything, so that the worker survives."""
        self.started.set()
        try:
            self.result = self._function()
        except BaseException as error:
            self.error = error
        self.seconds = time.perf_counter() - self.start_time
        self.done.set()


class ThreadWorkers:
    """At most ``num_workers`` daemon threads that take jobs in order.

    Python cannot kill a thread. One whose job overruns is given up: ``Stopped`` is raised in it,
    which ends a job that computes in Python; one that waits in C ends when that does. Another
    thread may take its place at once, so that a job that hangs does not hold up the others.
    Waiting in line does not count against a deadline.
    """

    def __init__(self, num_workers: int, *, max_abandoned: int = 64) -> None:
        self._line: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._num_workers = num_workers
        self._max_abandoned = max_abandoned
        self._lock = threading.Lock()
        self._running: set[Job] = set()
        self._abandoned: set[Job] = set()
        self._num_threads = 0  # those given up not counted
        self._closed = False

    def submit(self, function: Callable[[], Any], timeout_s: float) -> Job:
        """Puts a job in line; its deadline is ``timeout_s`` seconds after its start.

        Raises:
            RuntimeError: too many threads hang, or ``close`` was called.
        """
        job = Job(function, timeout_s)
        with self._lock:
            if self._closed:
                raise RuntimeError("the tool runtime is closed")
            if len(self._abandoned) >= self._max_abandoned:
                raise RuntimeError(f"{self._max_abandoned} tool calls hang; no more are started")
            if self._num_threads < self._num_workers:
                self._add_thread()
        self._line.put(job)
        return job

    def wait(self, job: Job) -> bool:
        """Whether the job ended before its deadline; one that did not is given up."""
        while not job.started.wait(_POLL_S):
            self._give_up_overdue()
        if job.done.wait(max(job.left_s, 0.0)):
            return job.seconds <= job.timeout_s
        self._give_up_overdue()
        return False

    def close(self) -> None:
        """Ends the threads once the line is empty."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for _ in range(self._num_threads):
                self._line.put(None)

    def _give_up_overdue(self) -> None:
        """Replaces threads whose jobs overran, whoever waits for those jobs."""
        with self._lock:
            for job in [job for job in self._running if job.left_s <= 0]:
                self._running.discard(job)
                self._abandoned.add(job)
                job.replaced = True
                self._num_threads -= 1
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(job.thread_id), ctypes.py_object(Stopped)
                )
                if not self._closed or not self._line.empty():
                    self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, name="tool-worker", daemon=True).start()
        self._num_threads += 1

    def _work(self) -> None:
        while (job := self._line.get()) is not None:
            try:
                job.thread_id = threading.get_ident()
                job.start_time = time.perf_counter()
                with self._lock:
                    self._running.add(job)
                job.run()
                self._settle(job)
            except Stopped:  # it came between the job's end and the end of its bookkeeping
                self._settle(job)
            if job.replaced:
                return

    def _settle(self, job: Job) -> None:
        """Takes an ended job off the books."""
        with self._lock:
            self._running.discard(job)
            self._abandoned.discard(job)
