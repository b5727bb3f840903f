"""A LoRA run: the base model is only referred to, and comes back merged."""

import dataclasses
import shutil
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from flax import nnx

from medr_jax.launch.weights import export_weights
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models import hf_weights, peft_format
from medr_jax.models.config import ModelConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.sft import policy
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.train import train_sft
from medr_jax.sharding import MeshConfig
from medr_jax.testing.models import small_model
from medr_jax.testing.training import invented_tokenizer
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, OptimizerName
from medr_jax.training.state import named_arrays

pytestmark = pytest.mark.slow  # each run compiles a step and an evaluation of its own

MODEL = ModelConfig(
    vocab_size=invented_tokenizer().vocab_size, num_layers=2, embed_dim=32, num_heads=2,
    num_kv_heads=2, head_dim=16, mlp_dim=64, scan_layers=False,
)  # fmt: skip
LORA = LoraConfig(rank=4)


class Killed(Exception):
    """Stands in for a kill."""


def run(dataset, out, weights, *, optimizer=None, checkpoint_every=2, lora=LORA):
    """Four steps."""
    return train_sft(
        TrajectoryData(
            path=dataset, tokenizer=invented_tokenizer(), cache_dir=out.parent / "packed"
        ),
        MODEL,
        MeshConfig(),
        optimizer or OptimizerConfig(learning_rate=1e-2, warmup_steps=0),
        DataConfig(row_length=128),
        TrainingConfig(num_steps=4, batch_rows=2, eval_every=4, checkpoint_every=checkpoint_every),
        out,
        weights=weights,
        lora=lora,
    )


@pytest.fixture(scope="module")
def trained(dataset, compile_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    hf_weights.save(small_model(MODEL), folder / "base")
    weights = WeightsConfig(source=Source.hf, path=str(folder / "base"))
    return folder, weights, run(dataset, folder / "run", weights)


def test_checkpoints_hold_adapters_only(trained):
    folder, weights, outcome = trained
    described = policy.read_description(folder / "run")
    assert described.adapted.lora == LORA and described.adapted.base == weights
    assert outcome.counts["dev_loss"] > 0
    base = sum(f.stat().st_size for f in (folder / "base").glob("*.safetensors"))
    saved = folder / "run" / "checkpoints" / "4"
    size = sum(f.stat().st_size for f in (saved / "params").rglob("*") if f.is_file())
    assert size < base, "7 weights of two layers have 2 * rank * 32.. numbers each"
    names = " ".join(str(file) for file in saved.rglob("*"))
    assert "embedding" not in names


def test_the_policy_is_the_base_model_with_the_adapters_merged_in(trained):
    folder, _, _ = trained
    base = named_arrays(nnx.state(small_model(MODEL)))
    merged = named_arrays(policy.load_policy(folder / "run").params)
    beside = named_arrays(policy.load_policy(folder / "run", merge=False).params)
    assert merged.keys() == base.keys()
    np.testing.assert_array_equal(merged["embedding"], base["embedding"])
    np.testing.assert_array_equal(beside["layers.mlp.up"], base["layers.mlp.up"])
    adapter = "layers.mlp.adapters.up"
    added = 8.0 * np.einsum("ldr,lrf->ldf", beside[f"{adapter}.down"], beside[f"{adapter}.up"])
    assert np.abs(added).max() > 1e-3
    np.testing.assert_allclose(merged["layers.mlp.up"], base["layers.mlp.up"] + added, atol=1e-5)


def test_a_killed_run_goes_on_exactly(trained, dataset, tmp_path, monkeypatch, curve):
    folder, weights, outcome = trained
    train_module = __import__("medr_jax.training.loop", fromlist=["loop"])
    pause = train_module._Run._pause

    def die(self, number, state, stop):
        pause(self, number, state, stop)
        if number == 2:
            raise Killed

    monkeypatch.setattr(train_module._Run, "_pause", die)
    with pytest.raises(Killed):
        run(dataset, tmp_path / "run", weights)
    monkeypatch.undo()
    again = run(dataset, tmp_path / "run", weights)
    assert again.content_hash == outcome.content_hash
    assert curve(tmp_path / "run") == curve(folder / "run")


def test_changed_base_weights_are_refused(trained, tmp_path):
    folder, weights, _ = trained
    moved = tmp_path / "run"
    shutil.copytree(folder / "run", moved)
    described = policy.read_description(moved)
    described.adapted.base_hash = "0" * 64
    policy.jsonl.write(moved / policy.MODEL, [described])
    with pytest.raises(ValueError, match="adapters belong to weights 0000.*put the weights back"):
        policy.load_policy(moved)


def test_what_does_not_go_with_adapters_is_refused(trained, dataset, tmp_path):
    _, weights, _ = trained
    with pytest.raises(ValueError, match="lora.rank=4 with weights=scratch"):
        run(dataset, tmp_path / "run", WeightsConfig())
    with pytest.raises(ValueError, match="optimizer.name=muon with lora.rank=4"):
        muon = OptimizerConfig(name=OptimizerName.muon)
        run(dataset, tmp_path / "run", weights, optimizer=muon)


def test_other_adapters_are_another_run(trained, dataset):
    folder, weights, _ = trained
    with pytest.raises(ValueError, match="another run: lora is"):
        run(dataset, folder / "run", weights, lora=dataclasses.replace(LORA, rank=2))
    assert policy.read_description(folder / "run").adapted.lora.rank == LORA.rank


def test_export(trained, tmp_path):
    folder, weights, _ = trained
    settings = SimpleNamespace(
        checkpoint=str(folder / "run"), out=str(tmp_path / "peft"), adapters=True,
        mesh=MeshConfig(), dtype="",
    )  # fmt: skip
    export_weights(settings)
    assert (tmp_path / "peft" / peft_format.WEIGHTS).is_file()
    with pytest.raises(ValueError, match="is no LoRA run"):
        described = policy.read_description(folder / "run")
        described.adapted = None
        shutil.copytree(folder / "run", tmp_path / "plain")
        policy.jsonl.write(tmp_path / "plain" / policy.MODEL, [described])
        settings.checkpoint = str(tmp_path / "plain")
        export_weights(settings)
    assert jax.tree.leaves(policy.load_policy(folder / "run").params)
