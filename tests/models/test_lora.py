"""LoRA: step 0 is the base model, only adapters learn, and merging changes nothing."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medr_jax.models import hf_weights, lora, peft_format
from medr_jax.models.config import Activation
from medr_jax.models.lora import LoraConfig
from medr_jax.models.transformer import abstract_model
from medr_jax.testing.models import (
    one_device,
    random_tokens,
    small_config,
    small_model,
    whole_rows,
)
from medr_jax.training.state import join_params, named_arrays

CONFIG = small_config(scan_layers=False)
LORA = LoraConfig(rank=3, alpha=6.0)
TOKENS = random_tokens((2, 12))


@jax.jit
def logits_of(model):
    return model.logits(model(TOKENS, *whole_rows(TOKENS)))


def adapted_model(config: LoraConfig = LORA, *, trained: bool = True):
    """A model with adapters; ``trained`` gives B random values, as training would."""
    model = lora.attach(small_model(CONFIG), config, one_device(), seed=3)
    graph, adapters, frozen = lora.split(model)
    if trained:
        rng = np.random.default_rng(5)
        adapters = jax.tree.map(
            lambda leaf: leaf + jnp.float32(0.3 * rng.standard_normal(leaf.shape)), adapters
        )
    return nnx.merge(graph, adapters, frozen)


@pytest.mark.slow
def test_step_0_is_the_base_model_and_merging_is_exact():
    base = logits_of(small_model(CONFIG))
    np.testing.assert_array_equal(logits_of(adapted_model(trained=False)), base)
    trained = logits_of(adapted_model())
    assert float(jnp.abs(trained - base).max()) > 0.1
    merged = lora.merge(adapted_model())
    assert not lora.has_adapters(merged)
    np.testing.assert_allclose(logits_of(merged), trained, atol=1e-4)


def test_an_adapter_by_hand():
    model = adapted_model(LoraConfig(rank=3, alpha=6.0, targets=["attention.out"]))
    adapter = model.layers.attention.adapters["out"]
    down, up = np.asarray(adapter.down[...]), np.asarray(adapter.up[...])
    assert down.shape == (2, 4, 8, 3) and up.shape == (2, 3, 32)
    # alpha / rank = 2; forgetting to divide would give 6.
    expected = 2.0 * np.einsum("lnhr,lrd->lnhd", down, up)
    np.testing.assert_allclose(adapter.product(), expected, atol=1e-6)
    assert model.layers.mlp.adapters is None


def test_only_adapters_get_gradients_and_all_of_them_do():
    graph, adapters, frozen = lora.split(adapted_model())

    def loss(adapters):
        model = nnx.merge(graph, join_params(adapters, frozen))
        return jnp.mean(logits_of(model) ** 2)

    grads = named_arrays(jax.grad(loss)(adapters))
    assert len(grads) == 2 * len(lora.TARGETS)
    assert all("adapters" in name for name in grads)
    assert all(float(jnp.abs(grad).max()) > 0 for grad in grads.values())
    names = named_arrays(frozen)
    assert len(names) == len(named_arrays(nnx.state(small_model(CONFIG))))


def test_a_model_without_adapters_is_trained_whole():
    graph, params, frozen = lora.split(small_model(CONFIG))
    assert frozen == () and join_params(params, frozen) is params
    assert "embedding" in named_arrays(params)


def test_an_abstract_model_gets_abstract_adapters():
    model = lora.attach(abstract_model(CONFIG), LORA, one_device(), seed=0)
    _, adapters, _ = lora.split(model)
    shapes = jax.tree.map(lambda leaf: leaf.shape, named_arrays(adapters))
    real = jax.tree.map(lambda leaf: leaf.shape, named_arrays(lora.split(adapted_model())[1]))
    assert shapes == real
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(adapters))


def test_a_model_without_any_of_the_targets_is_refused():
    model = small_model(small_config(activation=Activation.relu2, scan_layers=False))
    with pytest.raises(ValueError, match=r"lora.targets=\['mlp.gate'\]: this model has none"):
        lora.attach(model, LoraConfig(rank=2, targets=["mlp.gate"]), one_device(), seed=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": -1}, "lora.rank=-1"),
        ({"alpha": 0.0}, "lora.alpha=0.0"),
        ({"targets": ["attention.q_proj"]}, "'attention.q_proj' matches nothing.*attention.query"),
        ({"targets": []}, "lora.targets is empty"),
    ],
)
def test_wrong_settings_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        LoraConfig(**fields)


HF = dataclasses.replace(CONFIG, short_conv_width=0, qk_norm=False)


def test_what_peft_is_given(tmp_path):
    config = LoraConfig(rank=2, targets=["attention.query", "mlp.down"])
    model = lora.attach(small_model(HF), config, one_device(), seed=0)
    peft_format.write(model, config, tmp_path, base="base")
    tensors = safetensors.numpy.load_file(tmp_path / peft_format.WEIGHTS)
    prefix = "base_model.model.model.layers.1"
    assert len(tensors) == 2 * 2 * 2
    assert tensors[f"{prefix}.self_attn.q_proj.lora_A.weight"].shape == (2, 32)
    assert tensors[f"{prefix}.mlp.down_proj.lora_B.weight"].shape == (32, 2)
    described = json.loads((tmp_path / peft_format.CONFIG).read_text())
    assert described["target_modules"] == ["down_proj", "q_proj"]
    assert (described["r"], described["lora_alpha"]) == (2, 32.0)


@pytest.mark.parity
def test_peft_computes_the_same_logits(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft", reason="loads the exported adapters (extra 'parity')")
    base = small_model(HF)
    hf_weights.save(base, tmp_path / "base")
    model = lora.attach(base, LORA, one_device(), seed=1)
    graph, adapters, frozen = lora.split(model)
    rng = np.random.default_rng(2)
    adapters = jax.tree.map(
        lambda leaf: leaf + jnp.float32(0.2 * rng.standard_normal(leaf.shape)), adapters
    )
    model = nnx.merge(graph, adapters, frozen)
    (tmp_path / "adapters").mkdir()
    peft_format.write(model, LORA, tmp_path / "adapters", base=str(tmp_path / "base"))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapters").float().eval()
    with torch.no_grad():
        expected = theirs(torch.tensor(np.asarray(TOKENS))).logits.numpy()
    ours = logits_of(model)
    np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())
    assert float(np.abs(expected).max()) > 1.0


@pytest.mark.parity
def test_transformers_computes_the_same_with_the_merged_model(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = lora.attach(small_model(HF), LORA, one_device(), seed=1)
    graph, adapters, frozen = lora.split(model)
    adapters = jax.tree.map(lambda leaf: leaf + jnp.float32(0.1), adapters)
    model = nnx.merge(graph, adapters, frozen)
    ours = np.asarray(logits_of(model))
    hf_weights.save(lora.merge(model), tmp_path / "merged")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged").float().eval()
    with torch.no_grad():
        expected = theirs(torch.tensor(np.asarray(TOKENS))).logits.numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())
