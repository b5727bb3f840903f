"""Records of arms: seeds that were trained on several machines give one table."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments import _schemas, rl_study
from medr_jax.launch.study import records, run
from medr_jax.launch.study.answers import Answered, Mark
from medr_jax.launch.study.arms import arm_config
from medr_jax.launch.study.config import ARMS, Data
from medr_jax.launch.study.records import ArmRecord
from medr_jax.launch.study.table import Cost

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
DATA = {
    "dataset": SimpleNamespace(content_hash="d", path=Path("d")),
    "index": SimpleNamespace(content_hash="i"),
}


def config(*overrides):
    _schemas.register(*rl_study.main.groups)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        values = OmegaConf.to_object(compose("rl_study", list(overrides)))
    return SimpleNamespace(**values)


def recipe(*overrides, arm="rl", seed=0, data=DATA):
    made = arm_config(config(*overrides), ARMS[arm], seed)
    return records.recipe(made, ARMS[arm], data["dataset"], data["index"])


def record(arm="rl", seed=0, key="k", rights=(1, 0)):
    marks = [
        Mark(right=bool(right), supported=True, tool_calls=2, tokens=30, failed=False)
        for right in rights
    ]
    return ArmRecord(
        arm=arm,
        seed=seed,
        recipe=key,
        commit=f"{seed}abcdef0",
        dataset="0123",
        flawed=0.45,
        cost=Cost(steps=40, tokens=1000, cpu_s=10.0),
        curve=({"step": 1, "rollout/exact_match": 0.5},),
        answers=tuple(
            Answered(question_id=f"q{n}", family="f", num_hops=1, greedy=one, sampled=(one, one))
            for n, one in enumerate(marks)
        ),
    )


def test_a_record_comes_back_as_it_was_and_equal_ones_are_equal_files(tmp_path):
    first = records.save(tmp_path / "a", record())
    second = records.save(tmp_path / "b", record())
    assert records.load(first) == record()
    assert first.read_bytes() == second.read_bytes() and first.name == second.name


def test_only_the_same_recipe_counts(tmp_path, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    records.save(here, record(key="old"))
    records.save(there, record(key="new", rights=(1, 1)))
    found = records.find([tmp_path / "none", here, there], "rl", 0, "new")
    assert found == record(key="new", rights=(1, 1))
    assert "passed over" in capsys.readouterr().err
    assert records.find([here, there], "rl", 1, "new") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b'{"arm": "rl"}', mtime=0)],
    ids=["empty", "not packed", "not a record"],
)
def test_a_file_that_is_no_record_is_named(tmp_path, content):
    path = tmp_path / "rl-seed0.json.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="rl-seed0"):
        records.find([tmp_path], "rl", 0, "k")


def test_a_recipe_holds_all_that_is_trained_and_asked():
    base = recipe()
    assert base == recipe("study.seeds=[4,5]", "paths.artifacts=elsewhere", "out=elsewhere")
    for change in (
        *("model.num_layers=2", "training.num_steps=7", "data.context_weight=0.1"),
        "optimizer.weight_decay=0.3",
        *("rl.group_size=4", "rl_training.num_steps=7", "rl_optimizer.learning_rate=1e-5"),
        *("rl_sampling.temperature=0.9", "study.samples=3", "study.splits=[dev]"),
        *("evaluation.questions_per_hop=3", "agent.max_turns=3", "tools.num_hits=3"),
    ):
        assert recipe(change) != base, change
    assert recipe(seed=1) != base
    assert len({recipe(arm=arm) for arm in ARMS}) == len(ARMS)
    for part in DATA:
        other = DATA | {part: SimpleNamespace(content_hash="other", path=Path("d"))}
        assert recipe(data=other) != base


def test_a_recipe_holds_what_rl_asks():
    arm = ARMS["unseen_rl"]
    made = arm_config(config(), arm, 0)
    asked = {
        records.recipe(made, arm._replace(asks=asks), DATA["dataset"], DATA["index"])
        for asks in (None, Data.seen, Data.unseen)
    }
    assert len(asked) == 3


def test_machines_may_split_the_work_otherwise():
    same = ("training.batch_rows=6", "rl_training.batch_rows=6")
    split = ("training.grad_accumulation=3", "rl_training.grad_accumulation=2", "rl.micro_rows=2")
    assert recipe(*same) == recipe(*same, *split, "mesh=single")


def test_sft_does_not_depend_on_settings_of_rl():
    assert recipe(arm="sft") == recipe("rl.group_size=4", "rl_training.num_steps=7", arm="sft")


@pytest.fixture
def nothing_is_trained(monkeypatch):
    monkeypatch.setattr(run.stages, "graph", lambda config: None)
    monkeypatch.setattr(run.stages, "index", lambda config, graph: DATA["index"])
    monkeypatch.setattr(run.stages, "synthesize", lambda *given: DATA["dataset"])
    monkeypatch.setattr(run, "train_arm", lambda *given: pytest.fail("trained"))


@pytest.mark.usefixtures("nothing_is_trained")
def test_arms_with_records_are_not_trained(tmp_path):
    folder = tmp_path / "there"
    changes = ["study.arms=[sft,rl]", "study.seeds=[0,1]", f"study.records=[{folder}]"]
    for seed in (0, 1):
        for arm, rights in (("sft", (0, seed)), ("rl", (1, 1))):
            key = recipe(*changes, arm=arm, seed=seed)
            records.save(folder, record(arm, seed, key, rights))
    run.run_study(config(*changes, f"out={tmp_path}/out"))
    study = json.loads((tmp_path / "out" / "study.json").read_text())
    assert study["differences"][0]["cells"]["sampled"]["value"] == pytest.approx(0.75)
    assert study["facts"]["commits"] == ["0abcdef0", "1abcdef0"]
    assert len(list((tmp_path / "out" / "records").iterdir())) == 4


@pytest.mark.usefixtures("nothing_is_trained")
def test_without_training_there_are_tables_of_what_has_a_record(tmp_path):
    folder = tmp_path / "there"
    changes = ["study.arms=[sft,rl]", "study.seeds=[0,1]", f"study.records=[{folder}]"]
    changes += ["study.train=false", f"out={tmp_path}/out"]
    with pytest.raises(ValueError, match="no record has a recipe"):
        run.run_study(config(*changes))
    for arm, seed in (("sft", 0), ("sft", 1), ("rl", 1)):
        records.save(folder, record(arm, seed, recipe(*changes, arm=arm, seed=seed)))
    run.run_study(config(*changes))
    study = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [arm["seeds"] for arm in study["arms"]] == [[0, 1], [1]]
    assert study["differences"][0]["seeds"] == [1]
