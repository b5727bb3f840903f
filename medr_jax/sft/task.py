"""The pieces of a supervised run put together: data, model, step, evaluation."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from jax.sharding import Mesh

from medr_jax import sharding
from medr_jax.data.packing import PackedRows
from medr_jax.loader.pipeline import DataConfig, Loader, evaluation_batches
from medr_jax.loader.relabel import Relabeller, content_ids
from medr_jax.models.config import ModelConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.models.transformer import Transformer, create_model
from medr_jax.sft import policy, start, step
from medr_jax.sft.dataset import TrajectoryData, describe_batch
from medr_jax.sft.loss import make_eval_fn
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.loop import Task, TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import TrainState
from medr_jax.training.step import make_evaluate, make_place
from medr_jax.training.watch import WatchConfig


class Settings(NamedTuple):
    """The configs of a run, checked against each other."""

    model: ModelConfig
    optimizer: OptimizerConfig
    data: DataConfig
    training: TrainingConfig
    mesh: Mesh
    weights: WeightsConfig
    weights_hash: str
    lora: LoraConfig
    watch: WatchConfig
    adapted: policy.Adapted | None  # None: all parameters are trained


class Rows(NamedTuple):
    """The packed rows of a run, by what they are for."""

    train: PackedRows
    mixed: list[PackedRows]  # of ``data.mix``, in its order
    dev: PackedRows | None


def make_settings(
    data: TrajectoryData,
    model_config: ModelConfig,
    mesh: Mesh,
    optimizer_config: OptimizerConfig,
    data_config: DataConfig,
    training_config: TrainingConfig,
    *,
    weights: WeightsConfig,
    weights_hash: str,
    lora: LoraConfig,
    watch: WatchConfig,
) -> Settings:
    """The configs as weights, tokenizer and mesh complete them; ``weights_hash`` "" = hash them.

    Raises:
        ValueError: they do not go together; says which and what to do.
    """
    model = start.model_config(weights, model_config, data.protocol)
    model = policy.with_vocabulary(model, data.tokenizer)
    weights_hash = weights_hash or start.weights_hash(weights)
    adapted = start.adapted(weights, weights_hash, lora, optimizer_config)
    _check_batch(training_config, mesh)
    configs = (model, optimizer_config, data_config, training_config)
    return Settings(*configs, mesh, weights, weights_hash, lora, watch, adapted)


class Made(NamedTuple):
    """A run that is ready for ``training.loop.train``."""

    state: TrainState  # step 0
    task: Task
    rows: Rows


def make_task(
    settings: Settings, data: TrajectoryData, out: Path, facts: Mapping[str, Any]
) -> Made:
    """Data, model and step on the mesh, which must be set (``jax.set_mesh``)."""
    config, mesh = settings.training, settings.mesh
    mixed = [data.other(Path(one.path)) for one in settings.data.mix]
    rows = _pack_all(data, mixed, settings.data)
    built = step.build(
        _first_model(settings, out),
        settings.optimizer,
        config,
        mesh,
    )
    share, num_shares = sharding.row_share(mesh)
    processes = {"process_index": share, "process_count": num_shares}
    loader = Loader(
        rows.train,
        settings.data,
        batch_rows=config.batch_rows,
        seed=config.seed,
        mixed=rows.mixed,
        relabeller=_relabeller(settings, data.tokenizer),
        **processes,
    )
    task = Task(
        step=built.step,
        source=loader,
        place=make_place(mesh, config.grad_accumulation),
        evaluate=_evaluate(settings, rows.dev, built.graph, processes),
        identity=_identity(settings, data, mixed),
        facts={"mesh": dict(mesh.shape), "training": _plain(config), **facts},
        flops_per_token=step.flops_per_token(
            settings.model, rows.train, settings.data, adapters=settings.lora.enabled
        ),
        peak_flops=settings.watch.peak_of(mesh),
        describe=functools.partial(describe_batch, data.tokenizer),
    )
    return Made(built.state, task, rows)


def _pack_all(data: TrajectoryData, mixed: Sequence[TrajectoryData], config: DataConfig) -> Rows:
    def packed(data: TrajectoryData, split: str) -> PackedRows:
        return data.packed(split, config.row_length, config.too_long)

    return Rows(
        packed(data, config.train_split),
        [packed(one, of.split) for one, of in zip(mixed, config.mix, strict=True)],
        packed(data, config.dev_split) if config.dev_split else None,
    )


def _first_model(settings: Settings, out: Path) -> Transformer:
    """What step 1 starts from. A run that goes on overwrites it, so it may be anything then, but
    for the base model of adapters, which no checkpoint holds.
    """
    config, mesh, seed = settings.model, settings.mesh, settings.training.seed
    if policy.has_checkpoint(out) and not settings.lora.enabled:
        return create_model(config, mesh, seed)
    return start.first_model(settings.weights, config, mesh, seed, settings.lora)


def _relabeller(settings: Settings, tokenizer: Tokenizer) -> Relabeller | None:
    share = settings.data.permute_content
    if not share:
        return None
    return Relabeller(content_ids(tokenizer), settings.model.vocab_size, share)


def _evaluate(settings: Settings, dev: PackedRows | None, graph: Any, processes: dict[str, int]):
    """The dev split's loss by the same path as training, or None without one."""
    config = settings.training
    if dev is None or not config.eval_every:
        return None
    return make_evaluate(
        make_eval_fn(graph),
        make_place(settings.mesh),
        functools.partial(
            evaluation_batches,
            dev,
            settings.data,
            batch_rows=config.batch_rows // config.grad_accumulation,
            max_rows=config.eval_rows,
            **processes,
        ),
    )


def _identity(
    settings: Settings, data: TrajectoryData, mixed: Sequence[TrajectoryData]
) -> dict[str, Any]:
    """What must not change when a run goes on; the mesh and the micro-batch may."""
    config = settings.training
    optional = {
        "weights": settings.weights_hash,
        "mixed": [one.content_hash for one in mixed],
        "lora": _plain(settings.lora) if settings.lora.enabled else None,
    }
    return {
        "dataset": data.content_hash,
        "tokenizer": data.tokenizer.content_hash,
        "protocol": data.protocol,
        "model": _plain(settings.model),
        "optimizer": _plain(settings.optimizer),
        "data": _plain(settings.data),
        "training": {name: getattr(config, name) for name in ("num_steps", "batch_rows", "seed")},
        **{name: value for name, value in optional.items() if value},
    }


def _check_batch(config: TrainingConfig, mesh: Mesh) -> None:
    """ValueError where micro-batches do not split over the mesh."""
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    micro_rows = config.batch_rows // config.grad_accumulation
    if micro_rows % shards:
        raise ValueError(
            f"training.batch_rows={config.batch_rows} in grad_accumulation="
            f"{config.grad_accumulation} micro-batches: {micro_rows} rows each must be a multiple "
            f"of mesh.data * mesh.fsdp = {shards}"
        )


def _plain(config: Any) -> dict[str, Any]:
    return msgspec.to_builtins(dataclasses.asdict(config))
