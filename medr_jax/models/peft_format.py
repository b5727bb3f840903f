"""LoRA adapters as a folder that Hugging Face PEFT loads on top of their base model."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy

from medr_jax.models.hf_weights import hf_tensors
from medr_jax.models.lora import Adapter, LoraConfig
from medr_jax.models.transformer import Transformer

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def write(model: Transformer, config: LoraConfig, folder: Path, *, base: str) -> None:
    """Writes the adapters of ``model``, in float32, and their config into an empty folder.

    ``base`` is what PEFT loads first: a folder or a hub's name.
    """
    tensors = dict(_tensors(model))
    safetensors.numpy.save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    targets = {name.split(".")[-3] for name in tensors}
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "target_modules": sorted(targets),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _tensors(model: Transformer) -> Iterator[tuple[str, np.ndarray]]:
    """Their names and matrices: lora_A is (rank, inputs), lora_B (outputs, rank)."""
    names = {entry.path: entry.name for entry in hf_tensors(model.config)}
    for module in ("attention", "mlp"):
        for leaf, adapter in (getattr(model.layers, module).adapters or {}).items():
            name = names["layers", module, leaf].removesuffix(".weight")
            yield from _of_layers(f"base_model.model.{name}", adapter)


def _of_layers(name: str, adapter: Adapter) -> Iterator[tuple[str, np.ndarray]]:
    down, up = (np.asarray(part[...], np.float32) for part in (adapter.down, adapter.up))
    rank = down.shape[-1]
    for layer, (down_of_layer, up_of_layer) in enumerate(zip(down, up, strict=True)):
        prefix = name.format(layer=layer)
        matrices = {"A": down_of_layer.reshape(-1, rank), "B": up_of_layer.reshape(rank, -1)}
        for factor, matrix in matrices.items():
            yield f"{prefix}.lora_{factor}.weight", np.ascontiguousarray(matrix.T)
