"""Which weights fit which config, and what they are told apart by."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from flax import nnx

from medr_jax.models import hf_weights
from medr_jax.models.pretrained import (
    Source,
    WeightsConfig,
    load_pretrained,
    pretrained_config,
    weights_hash,
)
from medr_jax.testing.models import one_device, small_config, small_model

CONFIG = small_config(short_conv_width=0, qk_norm=False)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = small_model(CONFIG)
    folder = tmp_path_factory.mktemp("hf") / "model"
    hf_weights.save(model, folder)
    return model, WeightsConfig(source=Source.hf, path=str(folder))


def test_architecture_from_the_weights_and_the_rest_from_the_user(saved):
    model, weights = saved
    wanted = dataclasses.replace(CONFIG, vocab_size=0, max_length=16, scan_layers=False)
    loaded = load_pretrained(weights, wanted, one_device())
    assert loaded.config == dataclasses.replace(wanted, vocab_size=CONFIG.vocab_size)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(loaded), nnx.state(model))


def test_every_field_that_differs_is_named(saved):
    _, weights = saved
    other = dataclasses.replace(CONFIG, num_layers=3, rope_theta=5.0, short_conv_width=4)
    with pytest.raises(ValueError, match="another model") as caught:
        pretrained_config(weights, other)
    for part in ("num_layers=3 (theirs: 2)", "rope_theta=5.0 (theirs", "short_conv_width=4"):
        assert part in str(caught.value)
    assert "mlp_dim" not in str(caught.value)


def test_identity_is_that_of_the_content(saved, tmp_path):
    model, weights = saved
    hf_weights.save(model, tmp_path / "again")
    again = WeightsConfig(source=Source.hf, path=str(tmp_path / "again"))
    assert weights_hash(again) == weights_hash(weights)
    changed = json.loads((tmp_path / "again" / "config.json").read_text()) | {"rope_theta": 5.0}
    (tmp_path / "again" / "config.json").write_text(json.dumps(changed))
    assert weights_hash(again) != weights_hash(weights)


def test_a_source_and_its_path_belong_together(tmp_path):
    with pytest.raises(ValueError, match="weights.path is empty with weights=hf"):
        WeightsConfig(source=Source.hf)
    with pytest.raises(ValueError, match="weights.path=x with weights=scratch"):
        WeightsConfig(path="x")
    with pytest.raises(ValueError, match="no config.json"):
        pretrained_config(WeightsConfig(source=Source.hf, path=str(tmp_path)), CONFIG)
