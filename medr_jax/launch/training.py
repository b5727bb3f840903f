"""The stages that train: they bring JAX up and stand on the stages of ``launch.stages``."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

from jax.sharding import Mesh

from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_metadata
from medr_jax.launch import record, stages
from medr_jax.launch.together import run_stage_together
from medr_jax.sft import start
from medr_jax.sft.dataset import TrajectoryData, folder_hash
from medr_jax.sft.task import Made, Settings, make_settings, make_task
from medr_jax.sft.train import train_sft
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.compile_cache import enable_compile_cache

SFT_VERSION = "2"
"""Raise it when a change of code must train again."""

_TRAINED_BY = ("optimizer", "data", "training")


def sft(
    config: SimpleNamespace, dataset: Artifact | None = None, tokenizer: Artifact | None = None
) -> tuple[Artifact, Artifact]:
    """Supervised training on the training split; goes on where an unfinished run stopped.

    Returns the tokenizer's and the run's artifact.
    """
    enable_compile_cache(config.paths.compile_cache)
    # Weights that do not fit are refused before anything is made.
    model_config = start.model_config(config.weights, config.model, config.tokenizer.protocol)
    weights_hash = start.weights_hash(config.weights)
    dataset = dataset or stages.synthesize(config)
    tokenizer = tokenizer or stages.tokenizer(config, dataset)

    def build(path: Path) -> Outcome:
        return train_sft(
            _data(config, dataset, tokenizer),
            model_config,
            *(config.mesh, config.optimizer, config.data, config.training),
            path,
            facts=record.environment(),
            weights=config.weights,
            weights_hash=weights_hash,
            lora=config.lora,
            watch=config.watch,
        )

    inputs = {"synthesis": dataset.content_hash, "tokenizer": tokenizer.content_hash}
    if weights_hash:
        inputs["weights"] = weights_hash
    for mixed in config.data.mix:
        inputs[mixed.path] = folder_hash(Path(mixed.path))
    # Not the mesh: a run may go on upon another one.
    parts = {"model": model_config} | {name: getattr(config, name) for name in _TRAINED_BY}
    if config.lora.enabled:
        parts["lora"] = config.lora
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


def prepare_sft(config: SimpleNamespace, mesh: Mesh, out: Path) -> tuple[Settings, Made]:
    """What ``sft`` would train, ready for the loop. The mesh must be set."""
    enable_compile_cache(config.paths.compile_cache)
    dataset = stages.synthesize(config)
    data = _data(config, dataset, stages.tokenizer(config, dataset))
    settings = make_settings(
        data,
        start.model_config(config.weights, config.model, config.tokenizer.protocol),
        mesh,
        *(config.optimizer, config.data, config.training),
        weights=config.weights,
        weights_hash="",
        lora=config.lora,
        watch=config.watch,
    )
    return settings, make_task(settings, data, out, {})


def _data(config: SimpleNamespace, dataset: Artifact, tokenizer: Artifact) -> TrajectoryData:
    return TrajectoryData(
        path=dataset.path / "dataset",
        content_hash=dataset.content_hash,
        tokenizer=Tokenizer.load(tokenizer.path),
        protocol=config.tokenizer.protocol,
        tool_schemas=read_metadata(dataset.path / "dataset")["tool_schemas"],
        cache_dir=Path(config.paths.artifacts) / "packed",
    )
