"""Training that starts from given weights, and goes on from its checkpoint all the same."""

import shutil

import jax
import numpy as np
import pytest
from flax import nnx

from medr_jax.loader.pipeline import DataConfig
from medr_jax.models import hf_weights
from medr_jax.models.config import ModelConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.sft import policy, start
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.train import train_sft
from medr_jax.sharding import MeshConfig
from medr_jax.testing.models import one_device, small_model
from medr_jax.testing.training import invented_tokenizer
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig

MODEL = ModelConfig(
    vocab_size=invented_tokenizer().vocab_size, num_layers=2, embed_dim=32, num_heads=2,
    num_kv_heads=2, head_dim=16, mlp_dim=64, scan_layers=False,
)  # fmt: skip


def run(dataset, out, weights: WeightsConfig):
    """One step that changes nothing to speak of."""
    return train_sft(
        TrajectoryData(
            path=dataset, tokenizer=invented_tokenizer(), cache_dir=out.parent / "packed"
        ),
        MODEL,
        MeshConfig(),
        OptimizerConfig(learning_rate=1e-9, warmup_steps=0),
        DataConfig(row_length=128),
        TrainingConfig(num_steps=1, batch_rows=2, eval_every=0),
        out,
        weights=weights,
    )


@pytest.fixture(scope="module")
def started(dataset, compile_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    model = small_model(MODEL)
    hf_weights.save(model, folder / "hf")
    (folder / "hf" / "generation_config.json").write_text("{}")
    weights = WeightsConfig(source=Source.hf, path=str(folder / "hf"))
    return folder, model, run(dataset, folder / "run", weights)


def test_the_first_step_starts_from_the_weights(started):
    folder, model, _ = started
    trained = policy.load_policy(folder / "run")
    jax.tree.map(
        lambda got, wanted: np.testing.assert_allclose(got, wanted, atol=1e-7),
        trained.params,
        nnx.state(model),
    )
    assert trained.meta["identity"]["weights"]
    assert (folder / "run" / policy.HF / "generation_config.json").read_text() == "{}"


def test_other_weights_are_another_run(started, dataset):
    folder, _, _ = started
    hf_weights.save(small_model(MODEL, seed=1), folder / "other")
    with pytest.raises(ValueError, match="belongs to another run: weights is"):
        run(dataset, folder / "run", WeightsConfig(source=Source.hf, path=str(folder / "other")))


def test_a_run_that_goes_on_does_not_load_the_weights(started, dataset, monkeypatch):
    folder, _, outcome = started
    monkeypatch.setattr(start, "first_model", None)
    weights = WeightsConfig(source=Source.hf, path=str(folder / "hf"))
    assert run(dataset, folder / "run", weights).content_hash == outcome.content_hash


def test_an_earlier_run_is_a_start_too(started):
    folder, model, _ = started
    weights = WeightsConfig(source=Source.checkpoint, path=str(folder / "run"))
    loaded = start.first_model(weights, MODEL, one_device(), seed=0)
    jax.tree.map(
        lambda got, wanted: np.testing.assert_allclose(got, wanted, atol=1e-7),
        nnx.state(loaded),
        nnx.state(model),
    )
    meta = policy.load_policy(folder / "run").meta
    assert start.weights_hash(weights) == meta["fingerprints"]["params"]
    assert start.model_config(weights, MODEL, "compact") == MODEL
    with pytest.raises(ValueError, match="use tokenizer=compact"):
        start.model_config(weights, MODEL, "chatml")
    start.carry_hf_files(weights, folder)
    assert (folder / policy.HF / "generation_config.json").is_file()
    shutil.rmtree(folder / policy.HF)
