"""An endpoint's model under test: resumed, retried, and never graded for others' failures."""

import itertools
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medr_jax.agent.loop import AgentLimits
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.eval.agents import Bench, EndpointAgentsConfig, Setting, endpoint_agent
from medr_jax.eval.contamination import Unseen
from medr_jax.eval.evaluate import RESULTS, Grader, evaluate
from medr_jax.testing import endpoint as fake
from medr_jax.testing import endpoint_world as world
from medr_jax.testing.endpoint import EndpointServer

pytest.importorskip("openai", reason="needs the extra 'endpoint'")

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = {
    "model": "org/m",
    "backoff_s": 0.01,
    "max_backoff_s": 0.05,
    "timeout_s": 20.0,
    "max_retries": 3,
    "concurrency": 8,
}
MISDEEDS = (
    fake.BUSY,
    fake.BROKEN,
    fake.GARBAGE,
    fake.HALF_JSON,
    fake.CUT_OFF,
    fake.OTHER_SHAPE,
    fake.HANG,
)
GRADER = Grader(
    names=world.names,
    document_text=lambda doc_id: f"Associated genes: {doc_id.replace('D', 'G')}.",
    unseen=Unseen(fully=frozenset(), entities=frozenset()),
)


def run(server, folder, count=6, setting=Setting.tools, **config):
    with world.tools() as tools:
        bench = Bench(
            endpoint=EndpointConfig(base_url=server.base_url, **QUICK),
            tools=tools,
            limits=AgentLimits(),
            config=EndpointAgentsConfig(**config),
            store_path=folder / "rollouts.jsonl",
            benchmark="b1",
        )
        agent = endpoint_agent(setting, bench)
        questions = [world.question(number) for number in range(1, count + 1)]
        return evaluate(agent, questions, GRADER, folder / "out")


def results(folder, setting=Setting.tools):
    return (folder / "out" / f"org_m ({setting})" / RESULTS).read_bytes()


def test_three_ways_to_ask_one_model(tmp_path):
    with EndpointServer(world.model) as server:
        found = {setting: run(server, tmp_path, setting=setting) for setting in Setting}
    exact = {setting: one.groups["all"]["exact_match"].value for setting, one in found.items()}
    supported = {s: one.groups["all"]["supported_match"].value for s, one in found.items()}
    assert exact == {Setting.tools: 1.0, Setting.one_search: 1.0, Setting.no_tools: 0.0}
    assert supported == exact
    assert {one.num_infra_failed for one in found.values()} == {0}
    assert len(server.requests) == 12 + 6 + 6


def test_a_flaky_endpoint_loses_no_question_and_gives_the_same_results(tmp_path):
    with EndpointServer(world.model) as server:
        run(server, tmp_path / "good", count=12)
    number = itertools.count(1)
    bad = itertools.cycle(MISDEEDS)
    with EndpointServer(
        lambda body: next(bad) if next(number) % 3 == 0 else world.model(body)
    ) as server:
        summary = run(server, tmp_path / "flaky", count=12)
    assert summary.num_questions == 12 and summary.num_infra_failed == 0
    assert results(tmp_path / "flaky") == results(tmp_path / "good")


def test_a_failure_of_the_endpoint_is_never_a_zero(tmp_path):
    def down_for_one(body):
        return fake.BROKEN if "number 3?" in str(body["messages"]) else world.model(body)

    with EndpointServer(down_for_one) as server:
        with pytest.raises(ValueError, match="1 rollouts failed.*were not graded"):
            run(server, tmp_path)
        assert not (tmp_path / "out").exists()
        summary = run(server, tmp_path, max_failed=1)
        cell = summary.groups["all"]["exact_match"]
        # Five right answers of five; counting the failure as wrong would give 5/6.
        assert (cell.value, cell.n, summary.num_infra_failed) == (1.0, 5, 1)
    with EndpointServer(world.model) as server:
        assert run(server, tmp_path / "x", count=1).num_questions == 1


def test_mistakes_in_the_config_name_the_field():
    with pytest.raises(ValueError, match=r"agents\.settings"):
        EndpointAgentsConfig(settings=[])
    with pytest.raises(ValueError, match=r"agents\.rounds=0"):
        EndpointAgentsConfig(rounds=0)


# Evaluates and kills itself after the nth rollout.
SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import importlib.util
from medr_jax.agent import rollouts

spec = importlib.util.spec_from_file_location("test_agents", sys.argv[4])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
count, nth, add = [0], int(sys.argv[5]), rollouts.RolloutStore.add

def dying(store, rollout):
    add(store, rollout)
    count[0] += 1
    if count[0] == nth:
        os.kill(os.getpid(), signal.SIGKILL)

rollouts.RolloutStore.add = dying

class Server:
    base_url = sys.argv[1]

module.run(Server, Path(sys.argv[2]), count=200)
"""


@pytest.mark.slow
def test_two_hundred_questions_killed_at_ten_points_give_the_same_results(tmp_path):
    with EndpointServer(world.model) as server:
        run(server, tmp_path / "whole", count=200)
    rng = random.Random(3)
    with EndpointServer(world.model) as server:
        for _ in range(10):
            nth = rng.randint(1, 18)
            command = [
                *(sys.executable, "-c", SCRIPT, server.base_url, str(tmp_path / "killed")),
                *(str(REPOSITORY), __file__, str(nth)),
            ]
            ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=600)
            assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        run(server, tmp_path / "killed", count=200)
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    rows = (tmp_path / "killed" / "rollouts.jsonl").read_text().splitlines()
    asked = [json.loads(row)["key"]["question_id"] for row in rows]
    assert len(asked) == len(set(asked)) == 200
