"""The command, killed at random moments on a bad endpoint, leaves the results of a good run."""

import hashlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medr_jax.testing import endpoint as fake
from medr_jax.testing.endpoint import Body, EndpointServer, message

pytest.importorskip("openai", reason="needs the extra 'endpoint'")
pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS, KILLS, SECONDS = 200, 10, 900
MISDEEDS = (
    *(fake.BUSY, fake.BROKEN, fake.GARBAGE, fake.HALF_JSON),
    *(fake.CUT_OFF, fake.OTHER_SHAPE, fake.HANG),
)
GENES = ("FBN1", "COL3A1", "TGFBR2", "CFTR", "HBB")


def draw(number: int) -> int:
    """What is true of a question, or said to it: fixed, and without a pattern."""
    return hashlib.sha256(str(number).encode()).digest()[0]


def model(body: Body) -> Body:
    """Searches up to three times, then says a verdict that is right for most questions."""
    messages = body["messages"]
    number = int(re.search(r"Is study (\d+) ", str(messages))[1])
    searched = sum(one["role"] == "tool" for one in messages)
    if searched < draw(number) % 4:
        return message("", ("search", {"query": f"{GENES[(number + searched) % 5]} disease"}))
    said = "maybe" if draw(number) % 5 == 0 else verdict(number)
    return message("", ("answer", {"text": said, "citations": []}))


def verdict(number: int) -> str:
    return ("yes", "no")[draw(number) // 8 % 2]


@pytest.fixture
def command(tmp_path, stage_config, hpo_engine):
    """``command(name, server)``: the process that evaluates with artifacts of that name."""
    rows = {
        str(number): {
            "QUESTION": f"Is study {number} about a gene?",
            "CONTEXTS": [f"Study {number} looked at {GENES[number % 5]}."],
            "final_decision": verdict(number),
            "YEAR": str(2000 + number % 3),
        }
        for number in range(QUESTIONS)
    }
    path = tmp_path / "ori_pqal.json"
    path.write_text(json.dumps(rows), encoding="utf-8")

    def command(name: str, server: EndpointServer) -> subprocess.Popen:
        artifacts = tmp_path / name
        artifacts.mkdir(exist_ok=True)
        for stage in ("graph", "index"):
            if not (artifacts / stage).exists():
                (artifacts / stage).symlink_to(Path(stage_config.paths.artifacts) / stage)
        overrides = [
            *("benchmark=pubmedqa", f"path={path}", "agents.settings=[tools]"),
            *("endpoint.model=m", f"endpoint.base_url={server.base_url}"),
            *("endpoint.timeout_s=3", "endpoint.backoff_s=0.01", "endpoint.max_backoff_s=0.05"),
            *("endpoint.max_retries=6", "paths.compile_cache=''"),
            *(f"paths.artifacts={artifacts}", f"paths.runs={tmp_path / 'runs'}"),
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.evaluate_benchmark", *overrides],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return command


def finish(process: subprocess.Popen) -> None:
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, output


def kill_at(process: subprocess.Popen, server: EndpointServer, requests: int, wait_s: float):
    """SIGKILL ``wait_s`` after the server has seen so many requests."""
    deadline = time.monotonic() + SECONDS
    while len(server.requests) < requests and time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.002)
    time.sleep(wait_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"


def results(folder: Path) -> bytes:
    (path,) = folder.glob("benchmark/*/results.jsonl")
    return path.read_bytes()


def test_killed_at_ten_random_moments_on_a_bad_endpoint(command, tmp_path):
    with EndpointServer(model) as server:
        finish(command("whole", server))
    asked = len(server.requests)
    whole = results(tmp_path / "whole")
    rows = [json.loads(line) for line in whole.splitlines()]
    right = sum(row["grade"]["correct"] for row in rows)
    assert len(rows) == QUESTIONS and 100 < right < QUESTIONS, "some are right and some wrong"
    assert len({row["num_calls"] for row in rows}) == 4

    rng = random.Random(0)
    bad, number = itertools.cycle(MISDEEDS), itertools.count(1)
    with EndpointServer(lambda body: next(bad) if next(number) % 6 == 0 else model(body)) as server:
        # The killed runs ask more than the whole one did, so none of these is beyond their end.
        for requests in sorted(rng.sample(range(asked), KILLS)):
            kill_at(command("killed", server), server, requests, 0.3 * rng.random())
            assert not list((tmp_path / "killed").glob("benchmark/*/results.jsonl"))
        finish(command("killed", server))
    assert results(tmp_path / "killed") == whole
    (store,) = (tmp_path / "killed" / "rollouts").glob("*.jsonl")
    kept = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    finished = [one["key"]["question_id"] for one in kept if one.get("trajectory")]
    assert sorted(finished) == sorted(set(finished)) and len(finished) == QUESTIONS
