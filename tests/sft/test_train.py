"""SFT from a dataset to a policy that others can load."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from medr_jax.models.config import ModelConfig
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.policy import TOKENIZER, load_policy, with_vocabulary
from medr_jax.testing.training import invented_tokenizer
from medr_jax.training.metrics import DEV
from medr_jax.training.state import fingerprint, named_arrays

SPEC = importlib.util.spec_from_file_location("run_sft", Path(__file__).with_name("run_sft.py"))
run_sft = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_sft)

SETTINGS = {"training": {"num_steps": 12, "eval_every": 6, "eval_rows": 2, "log_every": 5}}


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory, compile_cache):
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, run_sft.run(dataset, out, SETTINGS)


def test_outcome_and_files(trained, curve):
    out, outcome = trained
    assert outcome.counts["trajectories"] == 32 and outcome.counts["dropped_too_long"] == 0
    assert outcome.counts["compiled"] == 1
    assert outcome.counts["dev_loss"] < 6.0
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    records = curve(out)
    assert [r["step"] for r in records if r["kind"] != DEV] == [5, 10, 12]
    held_out = [r for r in records if r["kind"] == DEV]
    assert [r["step"] for r in held_out] == [6, 12]
    assert held_out[1]["loss"] < held_out[0]["loss"]
    assert 0.0 <= held_out[1]["token_accuracy/end"] <= 1.0


def test_a_finished_run_is_only_read_again(trained, dataset):
    out, outcome = trained
    before = (out / "metrics.jsonl").read_bytes()
    again = run_sft.run(dataset, out, SETTINGS)
    assert again.content_hash == outcome.content_hash
    assert (out / "metrics.jsonl").read_bytes() == before


def test_the_policy_that_is_loaded_is_the_one_trained(trained):
    out, outcome = trained
    policy = load_policy(out)
    assert policy.meta["step"] == 12 and policy.protocol == "compact"
    assert policy.tokenizer.content_hash == invented_tokenizer().content_hash
    assert policy.model_config.vocab_size == policy.tokenizer.vocab_size
    assert fingerprint(policy.params) == outcome.content_hash
    assert named_arrays(policy.model.layers)["mlp.up"].shape == (2, 32, 64)


def test_a_policy_with_another_tokenizer_is_refused(trained, tmp_path):
    moved = tmp_path / "run"
    shutil.copytree(trained[0], moved)
    invented_tokenizer(vocab_size=350).save(moved / TOKENIZER)
    with pytest.raises(ValueError, match="not the tokenizer that this model was trained with"):
        load_policy(moved)


def test_another_run_in_the_same_folder_is_refused(trained, dataset):
    changed = {"training": SETTINGS["training"] | {"seed": 1}}
    with pytest.raises(ValueError, match="belongs to another run: training is"):
        run_sft.run(dataset, trained[0], changed)


def test_a_batch_that_does_not_split_over_the_mesh_is_refused(dataset, tmp_path):
    settings = {"training": {"batch_rows": 6, "grad_accumulation": 4}}
    with pytest.raises(ValueError, match="batch_rows=6: must be a multiple of grad_accumulation=4"):
        run_sft.run(dataset, tmp_path, settings)


def test_a_missing_split_names_those_there_are(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"no split 'nowhere'.*dev, train"):
        run_sft.run(dataset, tmp_path / "out", {"data": {"train_split": "nowhere"}})


def test_who_leaves_most_out_is_told(dataset, tmp_path, capsys):
    data = TrajectoryData(path=dataset, tokenizer=invented_tokenizer(), cache_dir=tmp_path)
    data.packed("train", 128)
    assert "warning" not in capsys.readouterr().err
    rows = data.packed("train", 53)
    said = " ".join(capsys.readouterr().err.split())
    left_out = rows.counts["dropped_too_long"]
    assert f"{left_out} of " in said and "longer than data.row_length=53" in said


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(ValueError, match="no training folder"):
        load_policy(tmp_path)


def test_vocabulary_sizes_must_fit():
    tokenizer = invented_tokenizer()
    size = tokenizer.vocab_size
    assert with_vocabulary(ModelConfig(), tokenizer).vocab_size == size
    assert with_vocabulary(ModelConfig(vocab_size=512), tokenizer).vocab_size == 512
    with pytest.raises(ValueError, match="model.vocab_size=99: the tokenizer has"):
        with_vocabulary(ModelConfig(vocab_size=99), tokenizer)
