"""A teacher behind a real server: what is kept, what is retried, what a kill leaves."""

import itertools
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from medr_jax import jsonl
from medr_jax.agent.rollouts import Rollout
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.testing import endpoint as fake
from medr_jax.testing import endpoint_world as world
from medr_jax.testing.endpoint import EndpointServer, message
from medr_jax.trajectories.teacher import Form, TeacherConfig, teach
from medr_jax.types import Status

pytest.importorskip("openai", reason="needs the extra 'endpoint'")

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = {
    "model": "m",
    "backoff_s": 0.01,
    "max_backoff_s": 0.05,
    "timeout_s": 20.0,
    "max_retries": 3,
    "concurrency": 4,
}
MISDEEDS = (
    fake.BUSY,
    fake.BROKEN,
    fake.GARBAGE,
    fake.CUT_OFF,
    fake.HALF_JSON,
    fake.OTHER_SHAPE,
)


def run(server, path, count=6, endpoint=None, **config):
    with world.tools() as tools:
        return teach(
            [world.question(number) for number in range(1, count + 1)],
            EndpointConfig(base_url=server.base_url, **QUICK | (endpoint or {})),
            tools,
            TeacherConfig(**config),
            path,
            names=world.names,
        )


def sometimes(misdeeds, every=3, answer=world.model):
    """The model, but for every third request, which gets the next misdeed."""
    number, bad = itertools.count(1), itertools.cycle(misdeeds)
    return lambda body: next(bad) if next(number) % every == 0 else answer(body)


def test_trajectories_are_real_supported_and_without_the_scaffold(tmp_path):
    with EndpointServer(world.model) as server:
        taught = run(server, tmp_path / "r.jsonl")
        assert [t.question.question_id for t in taught.trajectories] == [
            f"q{number:03d}" for number in range(1, 7)
        ]
        for trajectory in taught.trajectories:
            assert trajectory.answer.text == trajectory.question.answer
            assert trajectory.answer.citations == (trajectory.question.chain.hops[0].source_id,)
            assert (trajectory.form, trajectory.policy) == ("guided", "m")
            assert "MASK" not in jsonl.encode(trajectory).decode()
        assert all("([MASK], associated_gene, [MASK])" in str(body) for body in server.requests)
        assert taught.usage.requests == 12 and not taught.rejections
        # A second run asks nothing.
        assert run(server, tmp_path / "r.jsonl") == taught
        assert len(server.requests) == 12


def test_a_flaky_endpoint_gives_the_same_set(tmp_path):
    with EndpointServer(world.model) as server:
        wanted = run(server, tmp_path / "good.jsonl").trajectories
    with EndpointServer(sometimes(MISDEEDS)) as server:
        assert run(server, tmp_path / "flaky.jsonl").trajectories == wanted


def test_failures_are_no_outcomes_and_only_they_are_asked_again(tmp_path):
    path = tmp_path / "r.jsonl"

    def down_for_two(body):
        told = str(body["messages"])
        return fake.BROKEN if "number 2?" in told or "number 5?" in told else world.model(body)

    with EndpointServer(down_for_two) as server, pytest.raises(ValueError, match="2 rollouts"):
        run(server, path)
    rows = list(jsonl.read(path, Rollout))
    failed = [row for row in rows if not row.finished]
    assert {row.key.question_id for row in failed} == {"q002", "q005"}
    assert all(row.trajectory is None and row.status is Status.INFRA_ERROR for row in failed)
    with EndpointServer(world.model) as server:
        assert len(run(server, path).trajectories) == 6
        assert len(server.requests) == 4


def test_giving_up_is_a_choice_that_is_counted(tmp_path):
    def down_for_one(body):
        return fake.BROKEN if "number 2?" in str(body["messages"]) else world.model(body)

    with EndpointServer(down_for_one) as server:
        taught = run(server, tmp_path / "r.jsonl", max_failed=1, rounds=1)
    assert taught.given_up == 1 and len(taught.trajectories) == 5


def test_bad_trajectories_are_rejected_with_counted_reasons(tmp_path):
    def careless(body):
        told = str(body["messages"])
        if "number 1?" in told:
            return message("", ("answer", {"text": "G9", "citations": []}))
        if "number 2?" in told:
            return message("I know it.", ("answer", {"text": "G2", "citations": []}))
        if "number 3?" in told and "Associated genes" in told:
            return message(
                "By ([MASK], associated_gene, [MASK]).",
                ("answer", {"text": "G3", "citations": [1]}),
            )
        if "number 4?" in told and "MODEL" not in told and "neither" not in told:
            return message("Let me think about it.")
        return world.model(body)

    with EndpointServer(careless) as server:
        taught = run(server, tmp_path / "r.jsonl", max_tokens=20)
    assert taught.rejections == Counter(
        wrong_answer=1, unsupported_answer=1, guidance=1, malformed_call=1
    )
    with EndpointServer(world.model) as server:
        taught = run(server, tmp_path / "r.jsonl", count=6, max_tokens=14)
    assert taught.rejections["too_many_tokens"] == 2  # 15 are counted; four fail otherwise


def test_exploration_has_no_scaffold_and_failures_that_are_labelled(tmp_path):
    with EndpointServer(world.model) as server:
        taught = run(server, tmp_path / "r.jsonl", form=Form.exploration, tool_failure=0.4)
        assert not any("MASK" in str(body) for body in server.requests)
    kept = taught.trajectories
    flawed = [t for t in kept if t.flaws]
    assert flawed and {t.form for t in kept} == {"exploration"}
    for trajectory in flawed:
        turns = {int(flaw.removeprefix("tool_failure@")) for flaw in trajectory.flaws}
        timed_out = {
            number
            for number, turn in enumerate(trajectory.turns)
            if any(result.status is Status.TIMEOUT for result in turn.results)
        }
        assert turns == timed_out


def test_thoughts_are_rewritten_on_request_and_nothing_else(tmp_path):
    def rewriter(body):
        if "response_format" not in body:
            return world.model(body)
        told = str(body["messages"])
        if "number 2?" in told:
            return message('{"thoughts": ["It must be G2.", "So it is."]}')
        return message('{"thoughts": ["The disease comes first.", "Its record states the gene."]}')

    with EndpointServer(rewriter) as server:
        taught = run(server, tmp_path / "r.jsonl", count=2, rewrite_thoughts=True)
        plain = run(server, tmp_path / "r.jsonl", count=2)
    first, second = taught.trajectories
    assert [turn.thought for turn in first.turns] == [
        "The disease comes first.",
        "Its record states the gene.",
    ]
    assert [turn.calls for turn in first.turns] == [t.calls for t in plain.trajectories[0].turns]
    assert second.turns == plain.trajectories[1].turns  # named the answer before any result did
    assert taught.notes == {"rewrite: names the answer too early": 1}


def test_the_budget_ends_the_run_and_a_higher_one_goes_on(tmp_path):
    path = tmp_path / "r.jsonl"
    small = {"budget_tokens": 1300, "max_completion_tokens": 500, "concurrency": 1}
    with EndpointServer(world.model) as server:
        with pytest.raises(ValueError, match="budget_tokens=1300"):
            run(server, path, count=20, endpoint=small)
        rows = list(jsonl.read(path, Rollout))
        done = sum(row.finished for row in rows)
        asked = len(server.requests)
        # What the rollout cost that the budget ended is kept as well.
        assert sum(row.usage.requests for row in rows) == asked
        assert 0 < done < 20
        small["budget_tokens"] = 0
        assert len(run(server, path, count=20, endpoint=small).trajectories) == 20
        assert len(server.requests) - asked == 2 * (20 - done)


# Teaches and kills itself, as `kill -9` would: before, within or after the nth line is written.
SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from medr_jax.agent import rollouts
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.testing import endpoint_world as world
from medr_jax.trajectories.teacher import Form, TeacherConfig, teach
from medr_jax import jsonl

out, settings, nth, when = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
count, add = [0], rollouts.RolloutStore.add

def dying(store, rollout):
    count[0] += 1
    if count[0] == nth and when == "within":
        store._out.write(jsonl.encode(rollout)[:-40])
        store._out.flush()
    if count[0] == nth and when == "after":
        add(store, rollout)
    if count[0] == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    add(store, rollout)

rollouts.RolloutStore.add = dying
teach([world.question(n) for n in range(1, 13)], EndpointConfig(**settings), world.tools(),
      TeacherConfig(), out, names=world.names)
"""


@pytest.mark.slow
def test_killed_at_any_point_nothing_is_lost_doubled_or_made_up(tmp_path):
    with EndpointServer(world.model) as server:
        wanted = run(server, tmp_path / "whole.jsonl", count=12).trajectories
    path = tmp_path / "killed.jsonl"
    with EndpointServer(sometimes(MISDEEDS)) as server:
        settings = json.dumps(QUICK | {"base_url": server.base_url})
        for nth, when in ((1, "before"), (2, "within"), (1, "after"), (3, "within"), (2, "after")):
            command = [sys.executable, "-c", SCRIPT, str(path), settings, str(nth), when]
            ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=120)
            assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        taught = run(server, path, count=12)
    assert taught.trajectories == wanted
    finished = [row.key for row in jsonl.read(path, Rollout) if row.finished]
    assert len(finished) == len(set(finished)) == 12
