"""FLOPs of a token that is trained on, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from medr_jax.data.packing import NO_TARGET
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.config import ModelConfig
from medr_jax.models.flops import forward_flops
from medr_jax.sft.step import flops_per_token
from medr_jax.tokens.protocol import Role

MODEL = ModelConfig(
    vocab_size=10, num_layers=1, embed_dim=4, num_heads=1, num_kv_heads=1, head_dim=4, mlp_dim=8
)
# A question of two tokens, a thought, an answer whose end has no target, and padding.
ROWS = SimpleNamespace(
    segment_ids=np.array([[1, 1, 1, 1, 1, 0]]),
    positions=np.array([[0, 1, 2, 3, 4, 0]]),
    loss_mask=np.array([[0, 0, 1, 1, 0, 0]], np.uint8),
    target_roles=np.array(
        [[Role.USER, Role.USER, Role.THOUGHT, Role.ANSWER, NO_TARGET, NO_TARGET]], np.int8
    ),
)


@pytest.mark.parametrize(
    ("data", "predicted"),
    [
        ({}, 2 / 5),
        ({"train_thoughts": False}, 1 / 5),
        ({"context_weight": 0.1}, 4 / 5),
    ],
)
def test_logits_count_where_the_loss_has_a_target(data, predicted):
    mean_keys = (1 + 2 + 3 + 4 + 5) / 5
    forward = forward_flops(MODEL, 1, mean_keys, predicted)
    found = flops_per_token(MODEL, ROWS, DataConfig(**data), adapters=False)
    assert found == pytest.approx(3 * forward)
    assert flops_per_token(MODEL, ROWS, DataConfig(**data), adapters=True) == pytest.approx(
        2 * forward
    )
