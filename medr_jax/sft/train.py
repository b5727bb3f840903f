"""Supervised fine-tuning from a dataset of trajectories to a checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from medr_jax.artifacts import Outcome
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.config import ModelConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.sft import policy, start
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.task import make_settings, make_task
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.training.loop import TrainingConfig, train
from medr_jax.training.metrics import DEV, METRICS, TRAIN, plot_curves, read_metrics
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import fingerprint
from medr_jax.training.watch import WatchConfig

CURVE = "curve.png"


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
    lora: LoraConfig | None = None,
    watch: WatchConfig | None = None,
) -> Outcome:
    """Trains to ``training_config.num_steps``, going on from what ``out`` already holds.

    A run starts from ``weights`` (default: random ones; ``weights_hash`` saves hashing them
    again); one that goes on takes its checkpoint's and does not read them. With ``lora`` only
    adapters are trained and saved, and the weights are always read.

    Writes ``checkpoints``, ``metrics.jsonl``, ``curve.png``, ``model.json`` and ``tokenizer``
    under ``out``; ``load_policy`` reads them. ``facts`` (JSON) is noted in the checkpoints.

    Raises:
        ValueError: settings or data do not fit; says which and what to do.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    settings = make_settings(
        data,
        model_config,
        make_mesh(mesh_config),
        optimizer_config,
        data_config,
        training_config,
        weights=weights or WeightsConfig(),
        weights_hash=weights_hash,
        lora=lora or LoraConfig(),
        watch=watch or WatchConfig(),
    )
    first = jax.process_index() == 0  # the one process that writes what is not a checkpoint
    if first and not policy.has_checkpoint(out):  # another run's description is not touched
        described = (settings.model, data.tokenizer, data.protocol, settings.adapted)
        policy.save_description(out, *described)
        start.carry_hf_files(settings.weights, out)
    with jax.set_mesh(settings.mesh):
        made = make_task(settings, data, out, facts or {})
        state = train(made.state, made.task, training_config, out, settings.watch)
        content_hash = fingerprint(state.params)
    counts = made.rows.train.counts | {"compiled": made.task.step._cache_size()}
    return Outcome(content_hash=content_hash, counts=counts | (_finish(out) if first else {}))


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
