"""FLOPs by hand, and the peak of a device by its name."""

import dataclasses

import pytest

from medr_jax.models import flops
from medr_jax.models.config import Activation, ModelConfig

CONFIG = ModelConfig(
    vocab_size=10,
    num_layers=2,
    embed_dim=4,
    num_heads=2,
    num_kv_heads=1,
    head_dim=2,
    mlp_dim=3,
)


def test_matmul_weights_by_hand():
    # layer: q and out 2*4*2*2 = 32, k and v 2*4*1*2 = 16, gate, up, down 3*4*3 = 36 -> 84;
    # 2*84 + head 10*4 = 208. The embedding is a look-up: counting it too would give 248.
    assert flops.matmul_weights(CONFIG) == 208
    plain = dataclasses.replace(CONFIG, activation=Activation.relu2)
    assert flops.matmul_weights(plain) == 208 - 2 * 12


def test_train_flops_by_hand():
    # 3 rows of 5: 15 tokens, 2*208*15 = 6240; attention 4*2*2*2*15 * (5+1)/2 = 1440, not 2400
    # as without causality; times 3 with the backward pass.
    assert flops.train_flops(CONFIG, 3, 5) == 3 * (6240 + 1440)


def test_logits_that_nobody_needs_are_not_counted():
    whole, half = flops.forward_flops(CONFIG, 8, 3.0), flops.forward_flops(CONFIG, 8, 3.0, 4)
    assert whole - half == 2 * CONFIG.vocab_size * CONFIG.embed_dim * 4


def test_decode_flops_by_hand():
    # One prompt of 3, 2 new: 4 tokens are fed (the last is not), 2 of them reach the head.
    # 2*168*4 = 1344, head 2*40*2 = 160, attention 4*2*2*2 * (1+2+3+4) = 320.
    assert flops.decode_flops(CONFIG, 1, 3, 2) == 1344 + 160 + 320


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("TPU v5 lite", 197e12),
        ("TPU v5p", 459e12),
        ("cpu", None),
    ],
)
def test_peak_by_device_kind(kind, peak):
    assert flops.known_peak(kind) == peak
