"""The study's numbers by hand: paired differences, arms that are missing, what arms change."""

import json
from types import SimpleNamespace

import pytest

from medr_jax.launch.study import run, table
from medr_jax.launch.study.answers import Answered, Mark
from medr_jax.launch.study.arms import arm_config
from medr_jax.launch.study.config import ARMS, COMPARISONS, StudyConfig
from medr_jax.launch.study.records import ArmRecord
from medr_jax.launch.study.table import Cost, Finished
from medr_jax.rl.config import RLConfig
from medr_jax.training.loop import TrainingConfig


def mark(right, calls=2):
    return Mark(right=right, supported=right, tool_calls=calls, tokens=30, failed=False)


def finished(rights, *, greedy=True, cpu_s=10.0):
    """Questions of two families; ``rights`` holds each one's right answers of four samples."""
    answers = tuple(
        Answered(
            question_id=f"q{number}",
            family=f"f{number % 2}",
            num_hops=1,
            greedy=mark(greedy),
            sampled=tuple(mark(sample < right, calls=1 + sample) for sample in range(4)),
        )
        for number, right in enumerate(rights)
    )
    return Finished(cost=Cost(steps=40, tokens=1000, cpu_s=cpu_s), answers=answers)


CURVE = tuple({"step": n, "rollout/exact_match": 0.1 * n} for n in range(3))
RESULTS = {
    "sft": {0: finished([0, 1, 2, 1], greedy=False), 1: finished([1, 1, 1, 1])},
    "rl": {0: finished([4, 3, 4, 1]), 1: finished([2, 2, 2, 2], cpu_s=None)},
}


RECORDS = {
    arm: {
        seed: ArmRecord(
            arm=arm,
            seed=seed,
            recipe="r",
            commit="c",
            curve=CURVE,
            dataset="0123",
            flawed=0.45,
            cost=one.cost,
            answers=one.answers,
        )
        for seed, one in found.items()
    }
    for arm, found in RESULTS.items()
}


def test_pass_at_1_is_the_mean_over_samples_and_questions():
    rl, sft = table.arm_results(RESULTS, ["rl", "sft"])
    assert rl.cells["sampled"].value == pytest.approx(20 / 32)
    assert sft.cells["greedy"].value == pytest.approx(0.5)
    assert rl.cells["tool calls"].value == pytest.approx(2.5)
    assert (rl.cells["sampled"].n, rl.seeds) == (4, (0, 1))
    assert sft.cost.cpu_s == 10.0 and rl.cost.cpu_s is None  # not measured for all: not said


def test_differences_are_paired_by_seed_and_question():
    (found,) = table.differences(RESULTS, ["sft", "rl"])
    cell = found.cells["sampled"]
    assert cell.value == pytest.approx((4 + 2 + 2 + 0 + 1 + 1 + 1 + 1) / 32)
    # Per question the gain is 0 to 1, but no resample of both seeds is below the second's 0.25.
    assert 0 < cell.low <= 0.25 and cell.high <= 1.0
    assert found.cells["greedy"].value == pytest.approx(0.5)


def test_only_seeds_that_both_have_finished_are_compared():
    partial = {"sft": {0: RESULTS["sft"][0]}, "rl": RESULTS["rl"]}
    (found,) = table.differences(partial, ["sft", "rl"])
    assert found.seeds == (0,) and found.cells["sampled"].value == pytest.approx(8 / 16)


def test_other_questions_are_refused():
    other = {"sft": {0: finished([1])}, "rl": {0: finished([1, 1])}}
    with pytest.raises(ValueError, match="rl and sft were not asked the same questions"):
        table.differences(other, ["sft", "rl"])


def test_what_is_missing_is_said_and_files_agree(tmp_path):
    arms = ["sft", "rl", "more_sft"]
    facts = {"platform": "Linux", "cpus": 2}
    run.write(tmp_path, RECORDS, arms, facts)
    page = (tmp_path / run.TABLE).read_text()
    assert "| more SFT on the same data | 0 | – | not run |" in page
    assert "0123 45.0%" in page and "+0.375 [" in page and "**" not in page
    saved = json.loads((tmp_path / run.JSON).read_text())
    assert saved["differences"][0]["cells"]["sampled"]["value"] == pytest.approx(0.375)
    assert saved["arms"][2]["cells"] == {}


def test_curves_are_drawn(tmp_path):
    run.plot(RECORDS, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def base_config():
    return SimpleNamespace(
        synthesis="explored",
        clean_synthesis="clean",
        training=TrainingConfig(num_steps=100),
        rl_training=TrainingConfig(num_steps=40),
        rl=RLConfig(),
        study=StudyConfig(extra_sft_steps=70),
        checkpoint="given",
        replay="",
    )


def test_arms_change_what_their_name_says_and_nothing_else():
    config = base_config()
    made = {name: arm_config(config, arm, 5) for name, arm in ARMS.items()}
    assert {one.training.seed for one in made.values()} == {5}
    assert {one.rl_training.seed for one in made.values()} == {5}
    assert {name for name, one in made.items() if one.training.num_steps == 170} == {
        *("more_sft", "filtered_sft", "right_sft"),
    }
    assert {name for name, one in made.items() if one.synthesis == "clean"} == {
        *("clean_sft", "clean_rl", "seen_sft", "unseen_rl"),
    }
    weights = {
        name: (one.rl.rewards.expert_weight, one.rl.rewards.efficiency_weight)
        for name, one in made.items()
    }
    assert weights["task"] == (0, 0) and weights["task_expert"] == (0.2, 0)
    assert weights["task_efficiency"] == (0, 0.1) and weights["rl"] == (0.2, 0.1)
    assert [name for name, one in made.items() if not one.rl.rewards.outcome_gate] == ["ungated"]
    # The shared config is as it was, and arms start from their own SFT.
    assert config.training.num_steps == 100 and made["rl"].checkpoint == ""


def test_comparisons_are_of_arms_that_answer_the_same_questions():
    clean = {"clean_sft", "clean_rl", "seen_sft", "unseen_rl"}
    for one, other in COMPARISONS:
        assert {one, other} <= ARMS.keys() and (one in clean) == (other in clean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ["rl", "nothing"]}, "unknown ['nothing']"),
        ({"seeds": [0, 0]}, "study.seeds=[0, 0]"),
        ({"splits": ["train"]}, "unknown ['train']"),
        ({"samples": 0}, "study.samples=0"),
    ],
)
def test_config_mistakes_are_named(change, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        StudyConfig(**change)
