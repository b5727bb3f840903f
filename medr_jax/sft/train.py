"""Supervised fine-tuning from a dataset of trajectories to a checkpoint."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np
from jax.sharding import Mesh

from medr_jax import sharding
from medr_jax.artifacts import Outcome
from medr_jax.data.packing import PackedRows
from medr_jax.loader.pipeline import DataConfig, Loader, evaluation_batches
from medr_jax.loader.relabel import Relabeller, content_ids
from medr_jax.models.config import ModelConfig
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.models.transformer import Transformer, create_model
from medr_jax.sft import policy, start, step
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.loss import make_eval_fn
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.loop import Task, TrainingConfig, train
from medr_jax.training.metrics import DEV, METRICS, TRAIN, plot_curves, read_metrics
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import TrainState, fingerprint
from medr_jax.training.step import make_evaluate, make_place

CURVE = "curve.png"


class Settings(NamedTuple):
    """The configs of a run, checked against each other."""

    model: ModelConfig
    optimizer: OptimizerConfig
    data: DataConfig
    training: TrainingConfig
    mesh: Mesh
    weights: WeightsConfig
    weights_hash: str


def train_sft(
    data: TrajectoryData,
    model_config: ModelConfig,
    mesh_config: MeshConfig,
    optimizer_config: OptimizerConfig,
    data_config: DataConfig,
    training_config: TrainingConfig,
    out: Path,
    *,
    facts: Mapping[str, Any] | None = None,
    weights: WeightsConfig | None = None,
    weights_hash: str = "",
) -> Outcome:
    """Trains to ``training_config.num_steps``, going on from what ``out`` already holds.

    A run starts from ``weights`` (default: random ones; ``weights_hash`` saves hashing them
    again); one that goes on takes its checkpoint's and does not read them.

    Writes ``checkpoints``, ``metrics.jsonl``, ``curve.png``, ``model.json`` and ``tokenizer``
    under ``out``; ``load_policy`` reads them. ``facts`` (JSON) is noted in the checkpoints.

    Raises:
        ValueError: settings or data do not fit; says which and what to do.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    weights = weights or WeightsConfig()
    model = start.model_config(weights, model_config, data.protocol)
    settings = Settings(
        policy.with_vocabulary(model, data.tokenizer),
        *(optimizer_config, data_config, training_config),
        make_mesh(mesh_config),
        weights,
        weights_hash or start.weights_hash(weights),
    )
    _check_batch(training_config, settings.mesh)
    first = jax.process_index() == 0  # the one process that writes what is not a checkpoint
    if first:
        policy.save_description(out, settings.model, data.tokenizer, data.protocol)
        start.carry_hf_files(weights, out)
    splits = filter(None, (data_config.train_split, data_config.dev_split))
    rows = {split: data.packed(split, data_config.row_length) for split in splits}
    with jax.set_mesh(settings.mesh):
        state, num_compiled = _train(settings, rows, data, out, dict(facts or {}))
        content_hash = fingerprint(state.params)
    counts = rows[data_config.train_split].counts | {"compiled": num_compiled}
    return Outcome(content_hash=content_hash, counts=counts | (_finish(out) if first else {}))


def _train(
    settings: Settings,
    rows: Mapping[str, PackedRows],
    data: TrajectoryData,
    out: Path,
    facts: dict[str, Any],
) -> tuple[TrainState, int]:
    """The final state, and how many programs the train step was compiled to."""
    config, mesh = settings.training, settings.mesh
    packed = rows[settings.data.train_split]
    micro_rows = config.batch_rows // config.grad_accumulation
    made = step.build(
        _first_model(settings, out),
        settings.optimizer,
        config,
        mesh,
        capacity=step.loss_capacity(packed, micro_rows, settings.data.context_weight, mesh),
    )
    share, num_shares = sharding.row_share(mesh)
    processes = {"process_index": share, "process_count": num_shares}
    task = Task(
        step=made.step,
        source=Loader(
            packed,
            settings.data,
            batch_rows=config.batch_rows,
            seed=config.seed,
            relabeller=_relabeller(settings, data.tokenizer),
            **processes,
        ),
        place=make_place(mesh, config.grad_accumulation),
        evaluate=_evaluate(settings, rows, made.graph, processes),
        identity=_identity(settings, data),
        facts={"mesh": dict(mesh.shape), "training": _plain(config), **facts},
    )
    state = train(made.state, task, config, out)
    return state, made.step._cache_size()


def _first_model(settings: Settings, out: Path) -> Transformer:
    """What step 1 starts from. A run that goes on overwrites it, so it may be anything then."""
    config, mesh, seed = settings.model, settings.mesh, settings.training.seed
    if policy.has_checkpoint(out):
        return create_model(config, mesh, seed)
    return start.first_model(settings.weights, config, mesh, seed)


def _relabeller(settings: Settings, tokenizer: Tokenizer) -> Relabeller | None:
    share = settings.data.permute_content
    if not share:
        return None
    return Relabeller(content_ids(tokenizer), settings.model.vocab_size, share)


def _evaluate(
    settings: Settings, rows: Mapping[str, PackedRows], graph: Any, processes: dict[str, int]
):
    """The dev split's loss by the same path as training, or None without one."""
    config = settings.training
    if not settings.data.dev_split or not config.eval_every:
        return None
    return make_evaluate(
        make_eval_fn(graph),
        make_place(settings.mesh),
        functools.partial(
            evaluation_batches,
            rows[settings.data.dev_split],
            settings.data,
            batch_rows=config.batch_rows // config.grad_accumulation,
            max_rows=config.eval_rows,
            **processes,
        ),
    )


def _identity(settings: Settings, data: TrajectoryData) -> dict[str, Any]:
    """What must not change when a run goes on; the mesh and the micro-batch may."""
    config = settings.training
    weights = {"weights": settings.weights_hash} if settings.weights_hash else {}
    return {
        "dataset": data.content_hash,
        "tokenizer": data.tokenizer.content_hash,
        "protocol": data.protocol,
        "model": _plain(settings.model),
        "optimizer": _plain(settings.optimizer),
        "data": _plain(settings.data),
        "training": {name: getattr(config, name) for name in ("num_steps", "batch_rows", "seed")},
        **weights,
    }


def _plain(config: Any) -> dict[str, Any]:
    return msgspec.to_builtins(dataclasses.asdict(config))


def _check_batch(config: TrainingConfig, mesh: Mesh) -> None:
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    micro_rows = config.batch_rows // config.grad_accumulation
    if micro_rows % shards:
        raise ValueError(
            f"training.batch_rows={config.batch_rows} in grad_accumulation="
            f"{config.grad_accumulation} micro-batches: {micro_rows} rows each must be a multiple "
            f"of mesh.data * mesh.fsdp = {shards}"
        )


def _finish(out: Path) -> dict[str, float]:
    """Draws the curves; the last losses and the usual speed, for the console and the report."""
    records = read_metrics(out / METRICS)
    plot_curves(records, out / CURVE)
    trained = [record for record in records if record["kind"] == TRAIN]
    held_out = [record for record in records if record["kind"] == DEV]
    summary = {"loss": round(float(np.mean([r["loss/model"] for r in trained[-20:]])), 4)}
    if held_out:
        summary["dev_loss"] = round(held_out[-1]["loss/model"], 4)
    summary["tokens_per_s"] = round(float(np.median([r["tokens_per_s"] for r in trained])))
    return summary
