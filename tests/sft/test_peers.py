"""Two processes that train together stop together, whatever becomes of one of them."""

import signal
import socket
import time

import pytest

from medr_jax.training.peers import LOST

pytestmark = pytest.mark.slow

SECONDS = 600
MESH = {"fsdp": 2}
TRAINING = {"num_steps": 5000, "batch_rows": 4, "eval_every": 0, "checkpoint_every": 5000}


@pytest.fixture
def pair(start, tmp_path):
    """``pair(settings)``: two processes that have done a few steps, and the run's folder."""
    processes = []

    def begin(**settings):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            address = f"localhost:{free.getsockname()[1]}"
        runs = {"run": {"training": TRAINING, "mesh": MESH, **settings}}
        common = {"coordinator_address": address, "num_processes": 2}
        processes.extend(
            start(tmp_path, runs, 1, {**common, "process_id": number}) for number in range(2)
        )
        metrics = tmp_path / "run" / "metrics.jsonl"
        deadline = time.monotonic() + SECONDS
        while not metrics.exists() or metrics.read_text().count("\n") < 5:
            assert all(p.poll() is None for p in processes), [p.stdout.read() for p in processes]
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.1)
        return processes

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def saved_steps(path) -> list[int]:
    return sorted(int(f.name) for f in (path / "run" / "checkpoints").iterdir() if f.name.isdigit())


@pytest.mark.parametrize("which", [0, 1])
def test_a_signal_to_one_stops_both_after_the_same_step(pair, tmp_path, which):
    both = pair()
    both[which].send_signal(signal.SIGTERM)
    said = [" ".join(process.communicate(timeout=SECONDS)[0].split()) for process in both]
    assert [process.returncode for process in both] == [143, 143], said
    (step,) = saved_steps(tmp_path)
    for words in said:
        assert f"stopped after step {step}; the checkpoint is saved; run the same" in words
    assert "stopping after this step" in said[which]


@pytest.mark.parametrize("which", [0, 1])
def test_a_dead_process_ends_the_other_within_the_deadline(pair, which):
    both = pair()
    both[which].kill()
    began = time.monotonic()
    said, _ = both[1 - which].communicate(timeout=SECONDS)
    # Connections break at once; JAX's coordinator would need 100 s.
    assert time.monotonic() - began < 90
    if which == 0 and both[1].returncode == -signal.SIGABRT:
        # The coordinator died, and JAX in the other process was faster to notice than we were.
        assert "coordination service" in said.lower(), said
        return
    assert both[1 - which].returncode == LOST, said
    said = " ".join(said.split())
    assert f"process {1 - which} of 2, after step" in said
    assert "another process is dead or stuck" in said


def test_a_stuck_process_ends_the_other_within_the_deadline(pair):
    both = pair(watch={"peer_timeout_s": 30.0})
    both[1].send_signal(signal.SIGSTOP)
    said, _ = both[0].communicate(timeout=SECONDS)
    assert both[0].returncode == LOST, said
    assert "nothing has ended for" in " ".join(said.split())
