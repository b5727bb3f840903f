"""Killed at random moments, a run still learns exactly what the uninterrupted one does."""

import random
import signal
import time

import pytest

pytestmark = pytest.mark.long

SECONDS = 1800
KILLS = 20
# An epoch has four steps: most checkpoints lie within one, and saves, evaluations and ends of
# epochs are never far from any moment.
TRAINING = {"num_steps": 100, "batch_rows": 4, "eval_every": 7, "checkpoint_every": 3}
RUNS = {"run": {"training": TRAINING, "data": {"permute_content": 0.5, "context_weight": 0.3}}}


def lines(path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def finish(process) -> None:
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, output


def test_twenty_kills_at_random_moments(start, curve, tmp_path):
    finish(start(tmp_path / "whole", RUNS))
    whole = curve(tmp_path / "whole" / "run")
    assert [r["step"] for r in whole if r["kind"] == "train"] == list(range(1, 101))
    rng = random.Random(0)
    metrics = tmp_path / "killed" / "run" / "metrics.jsonl"
    killed_at = []
    for number in range(KILLS):
        process = start(tmp_path / "killed", RUNS)
        # A little more of the run each time, then a random instant: within a step, a save, an
        # evaluation or the reading of a checkpoint.
        goal = (number + 1) * len(whole) // (KILLS + 2)
        deadline = time.monotonic() + SECONDS
        while lines(metrics) < goal:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, "the run makes no progress"
            time.sleep(0.002)
        time.sleep(rng.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_at.append(lines(metrics))
    assert max(killed_at) < len(whole), "all of them were killed before the end"
    finish(start(tmp_path / "killed", RUNS))
    assert curve(tmp_path / "killed" / "run") == whole, killed_at
