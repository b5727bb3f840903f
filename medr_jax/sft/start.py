"""The weights that training starts from: random, a pretrained model's, or an earlier run's."""

from pathlib import Path

from jax.sharding import Mesh

from medr_jax.models import lora, pretrained
from medr_jax.models.config import ModelConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.models.transformer import Transformer, create_model
from medr_jax.sft import policy
from medr_jax.training.optimizer import OptimizerConfig, OptimizerName


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
    return policy.given_hash(weights) if weights.given else ""


def first_model(
    weights: WeightsConfig,
    config: ModelConfig,
    mesh: Mesh,
    seed: int,
    lora_config: LoraConfig | None = None,
) -> Transformer:
    """The model that step 1 starts from; ``config`` is one that ``model_config`` returned."""
    if not weights.given:
        return create_model(config, mesh, seed)
    model = policy.given_model(weights, config, mesh)
    if lora_config and lora_config.enabled:
        model = lora.attach(model, lora_config, mesh, seed)
    return model


def adapted(
    weights: WeightsConfig, weights_hash: str, lora_config: LoraConfig, optimizer: OptimizerConfig
) -> policy.Adapted | None:
    """What ``model.json`` says of a LoRA run; None where all parameters are trained.

    Raises:
        ValueError: there are no weights to adapt, or the optimizer is not for adapters.
    """
    if not lora_config.enabled:
        return None
    if not weights.given:
        raise ValueError(
            f"lora.rank={lora_config.rank} with weights=scratch: random weights are not worth "
            "adapting; choose weights=hf, gguf or checkpoint, or lora=none"
        )
    if optimizer.name is OptimizerName.muon:
        raise ValueError(
            f"optimizer.name=muon with lora.rank={lora_config.rank}: it is for whole matrices, not "
            "for the two factors of one; use optimizer=adamw"
        )
    return policy.Adapted(lora=lora_config, base=weights, base_hash=weights_hash)


def carry_hf_files(weights: WeightsConfig, out: Path) -> None:
    """Keeps the tokenizer and generation files that came with the weights, for an export."""
    if weights.source is Source.hf:
        policy.carry_hf_files(Path(weights.path), out)
    elif weights.source is Source.checkpoint:
        policy.carry_hf_files(Path(weights.path) / policy.HF, out)
