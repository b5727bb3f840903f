"""The stages that train: they bring JAX up and stand on the stages of ``launch.stages``."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_metadata
from medr_jax.launch import record, stages
from medr_jax.launch.together import run_stage_together
from medr_jax.sft import start
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.train import train_sft
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.compile_cache import enable_compile_cache

SFT_VERSION = "2"
"""Raise it when a change of code must train again."""

_TRAINED_BY = ("optimizer", "data", "training")


def sft(config: SimpleNamespace, dataset: Artifact | None = None) -> tuple[Artifact, Artifact]:
    """Supervised training on the training split; goes on where an unfinished run stopped.

    Returns the tokenizer's and the run's artifact.
    """
    enable_compile_cache(config.paths.compile_cache)
    # Weights that do not fit are refused before anything is made.
    model_config = start.model_config(config.weights, config.model, config.tokenizer.protocol)
    weights_hash = start.weights_hash(config.weights)
    dataset = dataset or stages.synthesize(config)
    tokenizer = stages.tokenizer(config, dataset)

    def build(path: Path) -> Outcome:
        data = TrajectoryData(
            path=dataset.path / "dataset",
            content_hash=dataset.content_hash,
            tokenizer=Tokenizer.load(tokenizer.path),
            protocol=config.tokenizer.protocol,
            tool_schemas=read_metadata(dataset.path / "dataset")["tool_schemas"],
            cache_dir=Path(config.paths.artifacts) / "packed",
        )
        return train_sft(
            data,
            model_config,
            *(config.mesh, config.optimizer, config.data, config.training),
            path,
            facts=record.environment(),
            weights=config.weights,
            weights_hash=weights_hash,
        )

    inputs = {"synthesis": dataset.content_hash, "tokenizer": tokenizer.content_hash}
    if weights_hash:
        inputs["weights"] = weights_hash
    # Not the mesh: a run may go on upon another one.
    parts = {"model": model_config} | {name: getattr(config, name) for name in _TRAINED_BY}
    run = run_stage_together(
        config,
        "sft",
        settings={name: dataclasses.asdict(part) for name, part in parts.items()},
        inputs=inputs,
        version=SFT_VERSION,
        build=build,
        shown=("loss", "dev_loss", "tokens_per_s"),
    )
    return tokenizer, run
