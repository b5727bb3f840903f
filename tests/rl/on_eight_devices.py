"""Run with eight forced host devices: one RL step on a mesh of them and on a single device.

Prints one JSON object of largest absolute differences; run by ``test_eight_devices.py``.
"""

import json
import os

# Unoptimised code is as exact, and this script spends its time compiling.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
from flax import nnx

from medr_jax import sharding
from medr_jax.models.transformer import abstract_model, create_model
from medr_jax.rl import step
from medr_jax.rl.config import KL, LossAgg, OffPolicy, RatioLevel, RLConfig
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.testing.models import VOCAB_SIZE, small_config
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import named_arrays

ROWS, LENGTH = 8, 24


def batch():
    """Two rollouts a row; nan wherever nobody sampled."""
    rng = np.random.default_rng(0)
    shape = (ROWS, LENGTH)
    mask = rng.random(shape) < 0.5
    mask[:, [0, LENGTH // 2]] = True
    sampled = np.where(mask, rng.normal(-4.0, 0.3, shape), np.nan).astype(np.float32)
    half = np.arange(LENGTH) % (LENGTH // 2)
    return {
        "token_ids": rng.integers(1, VOCAB_SIZE, shape).astype(np.int32),
        "target_ids": rng.integers(1, VOCAB_SIZE, shape).astype(np.int32),
        "positions": np.tile(half, (ROWS, 1)).astype(np.int32),
        "segment_ids": np.tile(1 + np.arange(LENGTH) // (LENGTH // 2), (ROWS, 1)).astype(np.int32),
        "loss_mask": mask.astype(np.int32),
        "advantages": rng.normal(size=shape).astype(np.float32),
        "old_logprobs": sampled,
        "sampler_logprobs": sampled + np.float32(0.01),
        "ref_logprobs": sampled - np.float32(0.1),
    }


def one_step(mesh_config, micro_rows, devices):
    """Metrics of a step, the parameters after it, and the scores before it."""
    mesh = make_mesh(mesh_config, devices)
    rl = RLConfig(
        micro_rows=micro_rows,
        ratio_level=RatioLevel.sequence,
        kl=KL.k3,
        entropy_coef=0.01,
        off_policy=OffPolicy.truncated_is,
        loss_agg=LossAgg.sequence,
        clip=False,
    )
    with jax.set_mesh(mesh):
        made = step.build(
            placed_model(mesh),
            OptimizerConfig(learning_rate=0.1, warmup_steps=1, eps=1.0),
            TrainingConfig(num_steps=2),
            rl,
            mesh,
            step.Distribution(0.8, (0,)),
        )
        scores = made.score(made.state.params, batch())
        state, metrics = made.step(made.state, made.place(batch()))
        params = {name: np.asarray(array) for name, array in named_arrays(state.params).items()}
    values = {name: float(r.total) / max(float(r.count), 1.0) for name, r in metrics.items()}
    return values, params, scores


def placed_model(mesh):
    """The same numbers on every mesh: drawn on one device, then laid out."""
    config = small_config(scan_layers=False)
    graph, shapes = nnx.split(abstract_model(config))
    drawn = nnx.split(create_model(config, make_mesh(MeshConfig(), jax.devices()[:1]), 0))[1]
    host = jax.tree.map(np.asarray, drawn)
    return nnx.merge(graph, jax.device_put(host, sharding.shardings(shapes, mesh)))


def difference(one, other):
    return max(float(np.max(np.abs(np.asarray(one[k]) - np.asarray(other[k])))) for k in one)


def main():
    single = one_step(MeshConfig(), ROWS, jax.devices()[:1])
    report = {}
    for name, mesh, micro_rows in (
        ("split", MeshConfig(data=2, fsdp=2, tensor=2), ROWS),
        ("split, micro-batches", MeshConfig(data=2, fsdp=2, tensor=2), ROWS // 2),
        ("micro-batches", MeshConfig(), 1),
    ):
        devices = jax.devices()[: mesh.data * mesh.fsdp * mesh.tensor]
        metrics, params, scores = one_step(mesh, micro_rows, devices)
        report[name] = {
            "metrics": difference(single[0], metrics),
            "params": difference(single[1], params),
            "scores": float(np.max(np.abs(np.stack(single[2]) - np.stack(scores)))),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
