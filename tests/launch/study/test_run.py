"""The whole study, small: arms share stages, and a second start goes on from the first."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments import _schemas, rl_study
from medr_jax.launch.study.run import run_study

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def config(tmp_path, arms):
    _schemas.register(*rl_study.main.groups)
    overrides = [
        "experiment=rl_study_smoke",
        f"study.arms=[{','.join(arms)}]",
        f"paths.artifacts={tmp_path}/artifacts",
        "paths.compile_cache=''",
        f"out={tmp_path}/out",
    ]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        values = OmegaConf.to_object(compose("rl_study", overrides))
    return SimpleNamespace(**values, run_dir=tmp_path)


@pytest.mark.long
def test_arms_share_stages_and_a_second_start_goes_on(tmp_path, stage_config, hpo_engine):
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    for stage in ("graph", "index"):
        (artifacts / stage).symlink_to(Path(stage_config.paths.artifacts) / stage)
    run_study(config(tmp_path, ["sft"]))
    before = json.loads((tmp_path / "out" / "study.json").read_text())
    answered = list((artifacts / "answers").glob("*/manifest.json"))
    run_study(config(tmp_path, ["sft", "rl", "filtered_sft"]))
    after = json.loads((tmp_path / "out" / "study.json").read_text())
    assert after["arms"][0] == before["arms"][0] and len(answered) == 1
    made = {path.name: len(list(path.glob("*/manifest.json"))) for path in artifacts.iterdir()}
    # After six steps no rollout is right: RL has no advantage, moves nothing, and its answers are
    # those of the same parameters.
    assert made | {"packed": 0} == {
        "graph": 1, "index": 1, "synthesis": 1, "tokenizer": 1, "filtered": 1, "packed": 0,
        "sft": 2, "rl": 1, "answers": 2,
    }  # fmt: skip
    assert [one["arm"] for one in after["differences"]] == ["rl", "rl"]
    assert all(cell["n"] == 12 for one in after["arms"] for cell in one["cells"].values())
    (share,) = after["facts"]["flawed"].values()
    assert 0.7 < share < 0.95
    steps = {arm["arm"]: arm["cost"]["steps"] for arm in after["arms"]}
    assert steps == {"sft": 6, "rl": 6 + 2, "filtered_sft": 6 + 10}
    assert all(arm["cost"]["cpu_s"] > 0 for arm in after["arms"])
    assert (tmp_path / "out" / "curves.png").stat().st_size > 1000
