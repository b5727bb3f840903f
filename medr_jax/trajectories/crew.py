"""Runs jobs here or in several processes. What a finished job gives is a file, so it is kept."""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from medr_jax import jsonl
from medr_jax.types import Record


class Job(Protocol):
    """One shard of work, sent to whichever process is free."""

    path: str  # where its result goes

    @property
    def size(self) -> int:
        """How far the progress bar moves when it is done."""

    def run(self, bench: Any) -> Record:
        """Does the work at a bench, which holds what jobs share."""


class Bench(Protocol):
    """What the jobs of one process share."""

    def warm_up(self) -> None:
        """Loads what jobs will need."""


class Crew:
    """Workers at benches of their own, made by ``make_bench()`` once in each process.

    Processes are spawned, never forked: the search engine's threads would not survive a fork.
    Results depend on the jobs only, not on the number of workers. ``here`` is the bench of this
    process, which does the work itself when there is one worker or one job.
    """

    def __init__(self, make_bench: Callable[[], Bench], num_workers: int, *, here: Bench) -> None:
        self._make_bench = make_bench
        self._num_workers = num_workers
        self._here = here
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "Crew":
        """Starts the processes, which load while this one goes on."""
        if self._num_workers > 1:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self._num_workers,
                mp_context=_spawning(),
                initializer=_start_worker,
                initargs=(self._make_bench,),
            )
            for _ in range(self._num_workers):
                self._pool.submit(_warm_up)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job], advance: Callable[[int], None]) -> None:
        """Does the jobs; ``advance(size)`` is called when one is done.

        Raises:
            ValueError: a process died; says what to do.
        """
        if self._pool is None or len(jobs) <= 1:
            for job in jobs:
                advance(_do(job, self._here))
            return
        try:
            futures = [self._pool.submit(_do_there, job) for job in jobs]
            for future in concurrent.futures.as_completed(futures):
                advance(future.result())
        except concurrent.futures.BrokenExecutor as error:
            raise ValueError(
                "a worker process died, perhaps for lack of memory; run the same command with "
                "synthesis.num_workers=1, finished work is kept"
            ) from error


def _spawning() -> multiprocessing.context.SpawnContext:
    """Spawned processes are told the default start method and must know it.

    In a process of joblib's, which runs the jobs of a sweep, it is joblib's own.
    """
    if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("spawn", force=True)
    return multiprocessing.get_context("spawn")


def finished(path: Path, record_type: type[Record]) -> Record | None:
    """The result in ``path``, or None when it is missing or unreadable and so to be redone."""
    try:
        (record,) = jsonl.read(path, record_type)
    except ValueError:
        return None
    return record


def _do(job: Job, bench: Bench) -> int:
    jsonl.write(job.path, [job.run(bench)])
    return job.size


_worker: dict[str, Any] = {}
"""This worker process's bench and how to make it; empty in any other process."""


def _start_worker(make_bench: Callable[[], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker["make_bench"] = make_bench


def _end_with_parent() -> None:
    """A killed parent cannot tell its workers, which would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _bench() -> Bench:
    if "bench" not in _worker:
        _worker["bench"] = _worker["make_bench"]()
    return _worker["bench"]


def _warm_up() -> None:
    _bench().warm_up()


def _do_there(job: Job) -> int:
    return _do(job, _bench())
