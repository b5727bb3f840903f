"""Every preset is the model that its name says."""

import dataclasses
import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from medr_jax.models.config import ModelConfig
from medr_jax.models.hf_config import from_hf_config, to_hf_config
from medr_jax.models.hf_weights import tensor_shapes
from medr_jax.models.transformer import num_parameters

PRESETS = Path(__file__).resolve().parents[2] / "configs" / "model"

LLAMA3 = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
FAMILIES = {
    "smollm2": {"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 1e5},
    "qwen2_5": {"model_type": "qwen2", "rms_norm_eps": 1e-6, "rope_theta": 1e6},
    "qwen3": {"model_type": "qwen3", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "head_dim": 128},
    "llama3_1": {
        "model_type": "llama",
        "rms_norm_eps": 1e-5,
        "rope_theta": 5e5,
        "rope_scaling": {**LLAMA3, "factor": 8.0},
    },
    "llama3_2": {
        "model_type": "llama",
        "rms_norm_eps": 1e-5,
        "rope_theta": 5e5,
        "rope_scaling": {**LLAMA3, "factor": 32.0},
    },
}
COLUMNS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "intermediate_size", "tie_word_embeddings"),
    "max_position_embeddings",
)
# As the models' published config.json files say (of Qwen2.5, the instruct models').
PUBLISHED = {
    ("smollm2", "135m"): (49152, 576, 30, 9, 3, 1536, True, 8192),
    ("qwen2_5", "0_5b"): (151936, 896, 24, 14, 2, 4864, True, 32768),
    ("qwen2_5", "1_5b"): (151936, 1536, 28, 12, 2, 8960, True, 32768),
    ("qwen2_5", "3b"): (151936, 2048, 36, 16, 2, 11008, True, 32768),
    ("qwen2_5", "7b"): (152064, 3584, 28, 28, 4, 18944, False, 32768),
    ("qwen2_5", "14b"): (152064, 5120, 48, 40, 8, 13824, False, 32768),
    ("qwen2_5", "32b"): (152064, 5120, 64, 40, 8, 27648, False, 32768),
    ("qwen3", "0_6b"): (151936, 1024, 28, 16, 8, 3072, True, 40960),
    ("qwen3", "1_7b"): (151936, 2048, 28, 16, 8, 6144, True, 40960),
    ("qwen3", "4b"): (151936, 2560, 36, 32, 8, 9728, True, 40960),
    ("qwen3", "8b"): (151936, 4096, 36, 32, 8, 12288, False, 40960),
    ("qwen3", "14b"): (151936, 5120, 40, 40, 8, 17408, False, 40960),
    ("qwen3", "32b"): (151936, 5120, 64, 64, 8, 25600, False, 40960),
    ("llama3_2", "1b"): (128256, 2048, 16, 32, 8, 8192, True, 131072),
    ("llama3_2", "3b"): (128256, 3072, 28, 24, 8, 8192, True, 131072),
    ("llama3_1", "8b"): (128256, 4096, 32, 32, 8, 14336, False, 131072),
}
# What their makers call them, in billions, as a check on the table itself.
BILLIONS = {
    "qwen2_5_0_5b": 0.494, "qwen2_5_1_5b": 1.54, "qwen2_5_3b": 3.09, "qwen2_5_7b": 7.61,
    "qwen2_5_14b": 14.8, "qwen2_5_32b": 32.8, "qwen3_0_6b": 0.596, "qwen3_1_7b": 1.72,
    "qwen3_4b": 4.02, "qwen3_8b": 8.19, "qwen3_14b": 14.8, "qwen3_32b": 32.8,
    "llama3_2_1b": 1.24, "llama3_2_3b": 3.21, "llama3_1_8b": 8.03, "smollm2_135m": 0.1345,
}  # fmt: skip
NAMES = ["_".join(key) for key in PUBLISHED]


def preset(name: str) -> ModelConfig:
    """The option file over the dataclass, as Hydra composes them."""
    values = OmegaConf.load(PRESETS / f"{name}.yaml")
    del values["defaults"]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), values))


def published(name: str) -> dict:
    """The fields of its config.json that matter here."""
    ((family, row),) = ((key[0], row) for key, row in PUBLISHED.items() if "_".join(key) == name)
    return {**FAMILIES[family], **dict(zip(COLUMNS, row, strict=True))}


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_the_published_models(name):
    ours, theirs = preset(name), from_hf_config(published(name))
    # What a user may choose freely is no part of the comparison, but for the length.
    chosen = {n: getattr(ours, n) for n in ("dtype", "param_dtype", "remat", "init_std")}
    assert ours == dataclasses.replace(theirs, **chosen)


def test_every_preset_is_in_the_table():
    files = {path.stem for path in PRESETS.glob("*.yaml")}
    assert files - set(NAMES) == {"tiny", "bench_3m", "bench_10m", "bench_12m"}  # made here


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_those_that_the_makers_state(name):
    count = sum(math.prod(shape) for shape in tensor_shapes(preset(name)).values())
    assert count / 1e9 == pytest.approx(BILLIONS[name], rel=5e-3)


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
def test_parameter_counts_equal_those_of_transformers(name):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    ours = num_parameters(preset(name))
    for fields in (to_hf_config(preset(name)), published(name)):
        config = transformers.AutoConfig.for_model(**fields)
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(config)
        assert sum(p.numel() for p in model.parameters()) == ours
