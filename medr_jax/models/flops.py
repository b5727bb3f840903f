"""FLOPs that a step needs by its mathematics, and what a device could do at most.

P_layer  = 2*D*N*H + 2*D*K*H + (3 or 2)*D*F       matrix weights of a layer
P_matmul = L*P_layer + V*D                        and of the output head; the embedding is looked up
forward  = 2*P_matmul*tokens + 4*L*N*H*tokens*S   S = keys that a query sees on average; V*D counts
                                                  where logits are needed only
train    = 3*forward                              recomputation is not counted
MFU      = FLOPs of a step / (seconds * peak FLOP/s)
"""

from medr_jax.models.config import Activation, ModelConfig

FORMULA = (
    "P = L*(2*D*N*H + 2*D*K*H + {3 gated, 2 not}*D*F) + V*D; forward = 2*P*tokens + "
    "4*L*N*H*tokens*S; train = 3*forward, S = (T+1)/2; decode: S = keys cached on average; "
    "MFU = FLOPs / (seconds * peak FLOP/s)"
)

PEAK_BF16_FLOPS = {
    "NVIDIA A100": 312e12,  # NVIDIA A100 datasheet, dense
    "NVIDIA H100": 989e12,  # NVIDIA H100 SXM datasheet, dense
    "NVIDIA H200": 989e12,  # NVIDIA H200 datasheet, dense
    "TPU v4": 275e12,  # cloud.google.com/tpu/docs/v4
    "TPU v5 lite": 197e12,  # cloud.google.com/tpu/docs/v5e
    "TPU v5p": 459e12,  # cloud.google.com/tpu/docs/v5p
    "TPU v5": 459e12,  # the name JAX gives a v5p
    "TPU v6 lite": 918e12,  # cloud.google.com/tpu/docs/v6e
}
"""FLOP/s of one device in bfloat16 by the start of its name; the longest that fits counts."""


def layer_weights(config: ModelConfig) -> int:
    """Matrix weights of one layer: P_layer."""
    D, N, K, H = config.embed_dim, config.num_heads, config.num_kv_heads, config.head_dim
    matrices = 3 if config.activation is Activation.silu else 2
    return 2 * D * N * H + 2 * D * K * H + matrices * D * config.mlp_dim


def matmul_weights(config: ModelConfig) -> int:
    """Weights that every token is multiplied with: P_matmul; the embedding is looked up."""
    return config.num_layers * layer_weights(config) + config.vocab_size * config.embed_dim


def attention_flops(config: ModelConfig, tokens: float, keys: float) -> float:
    """Scores and weighted values: 2 FLOPs * 2 products per head dimension, query and key."""
    return 4 * config.num_layers * config.num_heads * config.head_dim * tokens * keys


def forward_flops(
    config: ModelConfig, tokens: float, mean_keys: float, predicted: float | None = None
) -> float:
    """FLOPs of ``tokens`` tokens that see ``mean_keys`` keys each.

    ``predicted``: how many of them need logits; all unless it is given.
    """
    predicted = tokens if predicted is None else predicted
    head = config.vocab_size * config.embed_dim
    layers = 2 * config.num_layers * layer_weights(config) * tokens
    return layers + 2 * head * predicted + attention_flops(config, tokens, mean_keys)


def train_flops(config: ModelConfig, rows: int, length: int) -> float:
    """FLOPs of a train step on ``rows`` causal rows of one segment each."""
    return 3 * forward_flops(config, rows * length, (length + 1) / 2)


def decode_flops(config: ModelConfig, rows: int, prompt: int, new: int) -> float:
    """FLOPs of reading ``rows`` prompts and writing ``new`` tokens after each.

    The head is needed for the new tokens only; the last of them is not fed back.
    """
    fed = prompt + new - 1
    return forward_flops(config, rows * fed, (fed + 1) / 2, rows * new)


def known_peak(device_kind: str) -> float | None:
    """bfloat16 FLOP/s from the table, None for a device that is not in it."""
    names = [name for name in PEAK_BF16_FLOPS if device_kind.startswith(name)]
    return PEAK_BF16_FLOPS[max(names, key=len)] if names else None
