"""Small RL runs in a process of their own, which may be one of several, over forced CPU devices.

python run_rl.py <out> <{name: settings} as JSON> <DistributedConfig as JSON>
"""

import functools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
from conftest import Lab
from flax import nnx

from medr_jax import sharding
from medr_jax.agent.loop import AgentLimits
from medr_jax.rl import step, train
from medr_jax.sampling.engine import Engine
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.testing.rollouts import BANNED
from medr_jax.training.distributed import DistributedConfig, connect

LENGTH = 512


def settings(changes: dict):
    made = Lab.settings(
        training={"num_steps": 4, **changes.get("training", {})},
        sampling={"max_length": LENGTH, "decode_rows": [2, 8], **changes.get("sampling", {})},
        micro_rows=4,
        row_length=LENGTH,
        **{"num_prompts": 3, "dump_every": 1, **changes.get("rl", {})},
    )
    # Malformed turns are answered, so that rollouts have several and end at different times.
    limits = AgentLimits(max_completion_tokens=40, max_total_tokens=LENGTH, max_malformed=2)
    return Lab.replace(made, limits=limits)


def run(out: Path, changes: dict) -> None:
    mesh = make_mesh(MeshConfig(**changes.get("mesh", {})), devices(changes))
    start = Lab.start()
    graph, params = nnx.split(start.model)
    params = jax.tree.map(placed, params, sharding.shardings(params, mesh))
    start = Lab.replace(start, model=nnx.merge(graph, params), mesh=mesh)
    world = Lab.world()
    if changes.get("dev"):
        world = Lab.replace(world, dev_questions=world.questions[:3])
    train.train_rl(start, world, settings(changes), out)


def devices(changes: dict) -> list | None:
    """With "across", neighbours lie in different processes."""
    if changes.get("across"):
        return sorted(jax.devices(), key=lambda one: (one.id % jax.local_device_count(), one.id))
    return None


def placed(array: jax.Array, place: jax.sharding.Sharding) -> jax.Array:
    host = np.asarray(array)
    return jax.make_array_from_callback(host.shape, place, host.__getitem__)


if __name__ == "__main__":
    out, runs, processes = sys.argv[1:]
    connect(DistributedConfig(**json.loads(processes)))
    # Letters and ends of turns only: else a random policy never ends one.
    train.Engine = functools.partial(Engine, banned_ids=BANNED)
    train._distribution = lambda start, settings: step.Distribution(1.0, BANNED)
    for name, changes in json.loads(runs).items():
        run(Path(out) / name, changes)
