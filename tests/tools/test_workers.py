"""Jobs that overrun."""

import contextlib
import threading
import time

from medr_jax.tools.workers import Stopped, ThreadWorkers


def test_a_job_that_computes_is_stopped_at_its_deadline():
    workers = ThreadWorkers(1)
    ended = threading.Event()
    counts = [0]

    def compute():
        try:
            while True:
                # A tool that swallows errors must not swallow its end.
                with contextlib.suppress(Exception):
                    counts[0] += 1
        finally:
            ended.set()

    job = workers.submit(compute, 0.1)
    assert not workers.wait(job)
    assert ended.wait(5)
    reached = counts[0]
    time.sleep(0.05)
    assert counts[0] == reached
    assert isinstance(job.error, Stopped)
    after = workers.submit(lambda: "next", 5.0)
    assert workers.wait(after)
    assert after.result == "next"
    workers.close()


def test_no_place_is_lost_to_jobs_that_end_at_their_deadline():
    workers = ThreadWorkers(2)
    for n in range(60):
        workers.wait(workers.submit(lambda: time.sleep(0.004), 0.002 + 0.0001 * n))
    job = workers.submit(threading.get_ident, 5.0)
    assert workers.wait(job)
    deadline = time.perf_counter() + 5
    while workers._abandoned and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert not workers._abandoned
    assert workers._num_threads == 2
    workers.close()
