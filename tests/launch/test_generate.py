"""One answer to one message, from a file written for the test."""

from types import SimpleNamespace

import pytest

from medr_jax.launch.generate import generate
from medr_jax.launch.stages import PathsConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.sampling.engine import EngineConfig
from medr_jax.sharding import MeshConfig
from medr_jax.testing.gguf import model_metadata, model_tensors, tokenizer_metadata, write_gguf
from medr_jax.testing.models import small_config, small_model
from medr_jax.tokens.tokenizer import TokenizerConfig

pytest.importorskip("gguf")

MODEL = small_config(vocab_size=261, short_conv_width=0, qk_norm=False, qkv_bias=False)


def settings(**changes) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "prompt": "Which gene?",
            "system": "Be brief.",
            "max_tokens": 8,
            "tokenizer": TokenizerConfig(protocol="chatml", normalization="none"),
            "model": MODEL,
            "weights": WeightsConfig(),
            "mesh": MeshConfig(),
            "sampling": EngineConfig(temperature=0.0, num_slots=1, max_length=160),
            "paths": PathsConfig(compile_cache=""),
        }
        | changes
    )


def test_what_a_model_says_is_text_without_control_tokens(tmp_path):
    model = small_model(MODEL)
    metadata = model_metadata(model) | tokenizer_metadata()
    path = write_gguf(tmp_path / "x.gguf", metadata, model_tensors(model))
    weights = WeightsConfig(source=Source.gguf, path=str(path))
    said = generate(settings(weights=weights))
    assert said and "<|im_end|>" not in said
    assert said == generate(settings(weights=weights))


def test_what_cannot_answer_is_refused():
    with pytest.raises(ValueError, match="weights=scratch: random weights have nothing to say"):
        generate(settings())
    weights = WeightsConfig(source=Source.gguf)
    with pytest.raises(ValueError, match="tokenizer.protocol=compact: only chatml can chat"):
        generate(settings(weights=weights, tokenizer=TokenizerConfig()))
