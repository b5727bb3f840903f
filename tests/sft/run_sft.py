"""A small SFT run in a process of its own, to be killed or spread over devices by tests.

python run_sft.py <dataset> <out> <compile cache> <settings as JSON> <DistributedConfig as JSON>
"""

import json
import sys
from pathlib import Path

from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.config import Activation, ModelConfig
from medr_jax.sft.dataset import TrajectoryData
from medr_jax.sft.train import train_sft
from medr_jax.sharding import MeshConfig
from medr_jax.testing.training import invented_tokenizer
from medr_jax.training.compile_cache import enable_compile_cache
from medr_jax.training.distributed import DistributedConfig, connect
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, OptimizerName
from medr_jax.training.watch import WatchConfig

MODEL = ModelConfig(
    num_layers=2, embed_dim=32, num_heads=2, num_kv_heads=2, head_dim=16, mlp_dim=64,
    activation=Activation.relu2, short_conv_width=4, scale_embeddings=True, scan_layers=False,
)  # fmt: skip


def run(dataset: Path, out: Path, settings: dict):
    """``train_sft`` on the invented dataset; ``settings`` change mesh, data, training and watch."""
    training = {"num_steps": 24, "batch_rows": 4, "eval_every": 10, "checkpoint_every": 6}
    return train_sft(
        TrajectoryData(
            path=dataset, tokenizer=invented_tokenizer(), cache_dir=out.parent / "packed"
        ),
        MODEL,
        MeshConfig(**settings.get("mesh", {})),
        OptimizerConfig(name=OptimizerName(settings.get("optimizer", "adamw")), warmup_steps=4),
        DataConfig(row_length=128, **settings.get("data", {})),
        TrainingConfig(**{**training, **settings.get("training", {})}),
        out,
        watch=WatchConfig(**settings.get("watch", {})),
    )


if __name__ == "__main__":
    dataset, out, cache, settings, processes = sys.argv[1:]
    connect(DistributedConfig(**json.loads(processes)))
    enable_compile_cache(cache)
    for name, changes in json.loads(settings).items():
        run(Path(dataset), Path(out) / name, changes)
