"""The weights that training starts from: random, a pretrained model's, or an earlier run's."""

from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from medr_jax.models import pretrained
from medr_jax.models.config import ModelConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.models.transformer import Transformer, abstract_model, create_model
from medr_jax.sft import policy


def model_config(weights: WeightsConfig, config: ModelConfig, protocol: str) -> ModelConfig:
    """``config`` as the weights complete it.

    Raises:
        ValueError: the weights are of another architecture, or speak another protocol.
    """
    if weights.source is not Source.checkpoint:
        return pretrained.pretrained_config(weights, config)
    described = policy.read_description(Path(weights.path))
    if described.protocol != protocol:
        raise ValueError(
            f"tokenizer.protocol={protocol}: {weights.path} was trained with "
            f"{described.protocol}; use tokenizer={described.protocol}"
        )
    return pretrained.agreed_config(described.model, config, weights)


def weights_hash(weights: WeightsConfig) -> str:
    """Identity of the weights, "" for random ones."""
    if not weights.given:
        return ""
    if weights.source is Source.checkpoint:
        return policy.params_fingerprint(Path(weights.path))
    return pretrained.weights_hash(weights)


def first_model(weights: WeightsConfig, config: ModelConfig, mesh: Mesh, seed: int) -> Transformer:
    """The model that step 1 starts from; ``config`` is one that ``model_config`` returned."""
    if not weights.given:
        return create_model(config, mesh, seed)
    if weights.source is not Source.checkpoint:
        return pretrained.load_pretrained(weights, config, mesh)
    loaded = policy.load_policy(Path(weights.path), mesh)
    params = jax.tree.map(lambda array: array.astype(jnp.dtype(config.param_dtype)), loaded.params)
    graph, _ = nnx.split(abstract_model(config))
    return nnx.merge(graph, params)


def carry_hf_files(weights: WeightsConfig, out: Path) -> None:
    """Keeps the tokenizer and generation files that came with the weights, for an export."""
    if weights.source is Source.hf:
        policy.carry_hf_files(Path(weights.path), out)
    elif weights.source is Source.checkpoint:
        policy.carry_hf_files(Path(weights.path) / policy.HF, out)
