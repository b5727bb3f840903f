"""A run that was killed, or spread over other devices, learns exactly the same."""

import signal
import socket
import time
from pathlib import Path

import pytest

SECONDS = 600  # a busy machine; idle it is a few


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def kill_at(process, metrics: Path, step_lines: int) -> None:
    """kill -9 once the metrics file has that many lines."""
    deadline = time.monotonic() + SECONDS
    try:
        while lines(metrics) < step_lines:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, "the run makes no progress"
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def finish(process) -> None:
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, output


def test_kill_9_and_start_again_gives_the_same_curve(start, curve, tmp_path):
    runs = {"run": {"data": {"permute_content": 0.5, "context_weight": 0.3}}}
    finish(start(tmp_path / "whole", runs))
    whole = curve(tmp_path / "whole" / "run")
    assert [r["step"] for r in whole if r["kind"] == "train"] == list(range(1, 25))
    # After 9 lines the checkpoint of step 6 is the newest: steps 7, 8, ... are done twice.
    metrics = tmp_path / "killed" / "run" / "metrics.jsonl"
    kill_at(start(tmp_path / "killed", runs), metrics, 9)
    killed = lines(metrics)
    finish(start(tmp_path / "killed", runs))
    assert killed < len(whole)
    assert curve(tmp_path / "killed" / "run") == whole


CUBE = {"data": 2, "fsdp": 2, "tensor": 2}


def losses_on_one_and_eight_devices(start, curve, path, optimizer: str):
    training = {"num_steps": 20, "batch_rows": 8, "eval_every": 0, "checkpoint_every": 20}
    common = {"training": training, "optimizer": optimizer}
    finish(start(path, {"one": common, "eight": common | {"mesh": CUBE}}, devices=8))
    return ([record["loss"] for record in curve(path / name)] for name in ("one", "eight"))


def test_eight_devices_learn_what_one_does(start, curve, tmp_path):
    one, eight = losses_on_one_and_eight_devices(start, curve, tmp_path, "adamw")
    assert len(one) == 20 and one[-1] < one[0]
    assert eight == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
def test_eight_devices_learn_what_one_does_with_muon(start, curve, tmp_path):
    one, eight = losses_on_one_and_eight_devices(start, curve, tmp_path, "muon")
    assert eight == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
def test_a_run_goes_on_with_other_devices_and_micro_batches(start, curve, tmp_path):
    training = {"num_steps": 20, "batch_rows": 8, "eval_every": 0, "checkpoint_every": 4}
    finish(start(tmp_path / "whole", {"run": {"training": training}}))
    # Killed with the checkpoint of step 4 there, then on four devices instead of one.
    metrics = tmp_path / "moved" / "run" / "metrics.jsonl"
    kill_at(start(tmp_path / "moved", {"run": {"training": training}}), metrics, 5)
    changed = {"training": training | {"grad_accumulation": 2}, "mesh": {"fsdp": 2, "tensor": 2}}
    finish(start(tmp_path / "moved", {"run": changed}, devices=4))
    one, other = (
        [record["loss"] for record in curve(tmp_path / name / "run")] for name in ("whole", "moved")
    )
    assert len(other) == 20
    assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axis", "devices"),
    [
        ("fsdp", 1),  # each process has half of the rows
        ("tensor", 1),  # both have all rows: heads are split between the processes
        ("sequence", 2),  # and here the tokens of each row, over two devices of each
    ],
)
def test_two_processes_learn_what_one_does(start, curve, tmp_path, axis, devices):
    training = {"num_steps": 6, "batch_rows": 4, "eval_every": 3, "checkpoint_every": 6}
    finish(start(tmp_path / "one", {"run": {"training": training}}))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    runs = {"run": {"training": training, "mesh": {axis: 2 * devices}}}
    common = {"coordinator_address": address, "num_processes": 2}
    both = [
        start(tmp_path / "two", runs, devices, {**common, "process_id": number})
        for number in range(2)
    ]
    for process in both:
        finish(process)
    one, two = (curve(tmp_path / name / "run") for name in ("one", "two"))
    assert len(one) == 8  # six steps and two evaluations
    for mine, theirs in zip(one, two, strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-5)
        assert theirs.get("tokens") == mine.get("tokens")
