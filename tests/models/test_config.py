"""A config says what is wrong with it; the presets are the published models."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from medr_jax.models.config import ModelConfig
from medr_jax.models.transformer import num_parameters

PRESETS = Path(__file__).parents[2] / "configs" / "model"


def preset(name: str, **changes) -> ModelConfig:
    raw = OmegaConf.load(PRESETS / f"{name}.yaml")
    raw.pop("defaults")
    merged = OmegaConf.merge(OmegaConf.structured(ModelConfig), raw, changes)
    return OmegaConf.to_object(merged)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_heads": 3, "num_kv_heads": 2}, "num_kv_heads=2"),
        ({"head_dim": 7}, "head_dim=7"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"short_conv_width": -1}, "short_conv_width=-1"),
        ({"dtype": "float16"}, "dtype=float16"),
    ],
)
def test_error_names_field_and_value(changes, named):
    with pytest.raises(ValueError, match=named):
        ModelConfig(**changes)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # Published totals; a tied embedding counted twice would add vocab_size * embed_dim.
        ("smollm2_135m", 134_515_008),
        ("qwen2_5_0_5b", 494_032_768),
        ("qwen2_5_32b", 32_763_876_352),
        ("qwen3_0_6b", 596_049_920),
        # What their names say, to a tenth of a million.
        ("bench_3m", 3_150_144),
        ("bench_10m", 9_969_920),
        ("bench_12m", 11_969_344),
    ],
)
def test_preset_has_the_published_parameter_count(name, count):
    assert num_parameters(preset(name)) == count


def test_tiny_preset_is_about_a_million_parameters():
    # 2048*128 embedding + 4 * (4*128*128 + 2*128*512 + 2*128 norms + 3*4*128 taps) + 128
    assert num_parameters(preset("tiny", vocab_size=2048)) == 1_058_944
