import dataclasses
from types import SimpleNamespace

import pytest

from medr_jax.agent.loop import AgentLimits
from medr_jax.eval import arms as kept
from medr_jax.launch.grid import run
from medr_jax.launch.grid.arms import changed, not_run
from medr_jax.launch.grid.config import ARMS, GridConfig
from medr_jax.loader.pipeline import DataConfig
from medr_jax.questions.config import QuestionConfig
from medr_jax.retrieval.config import IndexConfig
from medr_jax.sampling.config import EngineConfig
from medr_jax.tools.config import ToolsConfig
from medr_jax.trajectories.config import SynthesisConfig


@pytest.fixture
def config(tmp_path):
    return SimpleNamespace(
        questions=QuestionConfig(),
        synthesis=SynthesisConfig(),
        data=DataConfig(),
        tools=ToolsConfig(),
        index=IndexConfig(),
        agent=AgentLimits(),
        sampling=EngineConfig(),
        grid=GridConfig(arms=["main", "max_chain", "no_guidance"], relevance_weights=[]),
        out=str(tmp_path / "out"),
    )


@pytest.mark.parametrize("name", ARMS)
def test_each_arm_changes_only_what_it_names(config, name):
    for changes in (ARMS[name].train, ARMS[name].act):
        after = changed(config, changes)
        same = {group for group in vars(config) if getattr(after, group) == getattr(config, group)}
        assert vars(config).keys() - same == changes.keys()


def test_a_nested_change_keeps_the_rest(config):
    after = changed(config, {"synthesis": {"expert": {"thoughts": "short"}}})
    assert after.synthesis.expert.thoughts == "short"
    assert after.synthesis.expert.may_read == config.synthesis.expert.may_read
    assert config.synthesis.expert.thoughts == "full"


def test_first_seeds_of_all_arms_come_before_others():
    jobs = GridConfig(arms=["main", "max_chain"], seeds=[0, 1], main_seeds=[0, 2]).jobs()
    assert jobs == [("main", 0), ("max_chain", 0), ("main", 2), ("main", 1), ("max_chain", 1)]


@pytest.mark.parametrize(
    "fields", [{"arms": ["main", "typo"]}, {"arms": ["max_chain"]}, {"seeds": [0, 0]},
               {"relevance_weights": [2.0]}],
)  # fmt: skip
def test_wrong_settings_are_refused(fields):
    with pytest.raises(ValueError, match=f"grid.{next(iter(fields))}"):
        GridConfig(**fields)


def test_an_arm_that_fails_is_not_run_with_its_reason(config, monkeypatch, capsys):
    def fails(config, name, seed, command):
        raise MemoryError("/some/where/rows: out of memory")

    monkeypatch.setattr(run, "run_arm", fails)
    run.run_grid(config)
    reasons = {one.arm: one.reason for one in kept.load(run.results_folder(config))}
    assert reasons["main"] == reasons["max_chain"] == "MemoryError: rows: out of memory"
    assert "endpoint" in reasons["no_guidance"]
    assert "the grid goes on" in capsys.readouterr().err


def test_interrupted_it_stops(config, monkeypatch):
    def interrupted(config, name, seed, command):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_arm", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.run_grid(config)
    assert {one.reason for one in kept.load(run.results_folder(config)) if one.arm == "main"} == {
        "the grid has not come to it"
    }


def test_a_reason_keeps_no_path_of_the_machine():
    assert not_run("main", 0, "ValueError: /home/me/artifacts/x\nis bad").reason == (
        "ValueError: x is bad"
    )


@pytest.mark.parametrize("name", ["study", "diagnosis"])
def test_a_file_that_is_not_there_is_said_before_anything_runs(config, name):
    config.grid = dataclasses.replace(config.grid, **{name: "typo.json"})
    with pytest.raises(ValueError, match=f"grid.{name}=typo.json: no such file"):
        run.run_grid(config)
