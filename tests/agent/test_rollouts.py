"""Rollouts that cost money: none lost, none twice, no failure kept as an outcome."""

import threading

import pytest

from medr_jax import jsonl
from medr_jax.agent.rollouts import (
    Job,
    Rollout,
    RolloutKey,
    RolloutStore,
    check_failures,
    run_jobs,
)
from medr_jax.endpoint.usage import Usage
from medr_jax.testing.tokens import make_question
from medr_jax.types import Status, Trajectory

ONE = Usage(input_tokens=1, requests=1)


def key(number, **changes):
    return RolloutKey(**{"question_id": f"q{number}", "agent": "m", "identity": "i"} | changes)


def outcome(of, status=Status.OK):
    trajectory = None
    if status is Status.OK:
        trajectory = Trajectory(
            trajectory_id="t", question=make_question(), turns=(), status=status
        )
    return Rollout(key=of, status=status, trajectory=trajectory, usage=ONE, error="why")


def jobs(count, run=outcome):
    return [Job(key(number), lambda number=number: run(key(number))) for number in range(count)]


def test_what_is_finished_is_not_run_again(tmp_path):
    path = tmp_path / "a" / "rollouts.jsonl"
    with RolloutStore(path) as store:
        run_jobs(jobs(3), store, concurrency=2)
    ran = []
    with RolloutStore(path) as store:
        run_jobs(jobs(5, lambda of: ran.append(of) or outcome(of)), store, concurrency=2)
        assert set(ran) == {key(3), key(4)}
        assert store.missing(map(key, range(6))) == [key(5)]
        assert store.usage(map(key, range(6))).requests == 5
    assert len(list(jsonl.read(path, Rollout))) == 5


@pytest.mark.parametrize("other", [{"agent": "n"}, {"identity": "j"}, {"rollout": 1}])
def test_another_model_setting_or_rollout_is_another_outcome(tmp_path, other):
    with RolloutStore(tmp_path / "r.jsonl") as store:
        store.add(outcome(key(1)))
        assert store.missing([key(1), key(1, **other)]) == [key(1, **other)]


def test_failures_are_run_again_and_their_cost_is_kept(tmp_path):
    tries = []

    def flaky(of):
        tries.append(of)
        failed = of == key(1) and tries.count(of) < 3
        return outcome(of, Status.TIMEOUT if failed else Status.OK)

    with RolloutStore(tmp_path / "r.jsonl") as store:
        run_jobs(jobs(3, flaky), store, concurrency=2, rounds=2)
        assert list(store.failures) == [key(1)]
        with pytest.raises(ValueError, match="1 rollouts failed.*timeout: why"):
            check_failures(store, map(key, range(3)), 0)
        check_failures(store, map(key, range(3)), 1)
    with RolloutStore(tmp_path / "r.jsonl") as store:
        assert store.missing(map(key, range(3))) == [key(1)]
        run_jobs(jobs(3, flaky), store, concurrency=2)
        assert not store.failures and len(store.finished) == 3
        assert store.usage([key(1)]).requests == 3
    assert len(tries) == 5


def test_a_torn_last_line_is_run_again_and_other_damage_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    with RolloutStore(path) as store:
        run_jobs(jobs(3), store, concurrency=1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with RolloutStore(path) as store:
        assert store.missing(map(key, range(3))) == [key(2)]
        run_jobs(jobs(3), store, concurrency=1)
    assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:50] + b"\n" + lines[2])
    with pytest.raises(ValueError, match=r"r\.jsonl:2"):
        RolloutStore(path)
    path.write_bytes(lines[0] + lines[0])
    with pytest.raises(ValueError, match="twice"):
        RolloutStore(path)


def test_two_processes_cannot_write_one_file(tmp_path):
    with RolloutStore(tmp_path / "r.jsonl"), pytest.raises(ValueError, match="another process"):
        RolloutStore(tmp_path / "r.jsonl")


def test_what_ends_the_job_is_raised_after_running_rollouts_are_kept(tmp_path):
    started = threading.Event()

    def run(of):
        if of == key(1):
            started.wait(5)
            raise ValueError("the budget is spent")
        started.set()
        return outcome(of)

    with RolloutStore(tmp_path / "r.jsonl") as store:
        with pytest.raises(ValueError, match="budget"):
            run_jobs(jobs(2, run), store, concurrency=2)
        assert list(store.finished) == [key(0)]


def test_an_interruption_stops_what_is_under_way(tmp_path):
    stopped = threading.Event()

    def run(of):
        if of == key(0):
            return outcome(of)
        stopped.wait(10)
        return outcome(of, Status.INFRA_ERROR)

    def advance(count):
        if count:
            raise KeyboardInterrupt

    with RolloutStore(tmp_path / "r.jsonl") as store:
        with pytest.raises(KeyboardInterrupt):
            run_jobs(jobs(3, run), store, concurrency=3, stop=stopped.set, advance=advance)
        assert stopped.is_set() and list(store.finished) == [key(0)]
