"""Gradients of one batch in many layouts, in a process of its own.

python run_gradients.py <out.npz> <meshes as JSON> <DistributedConfig as JSON>

Keys of the file: "<packing> <mesh> <micro-batches> <parameter>", where packing is packed, alone,
or means: the mean of micro-batches' means, which is what must not be computed.
"""

import json
import sys

import jax
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from medr_jax import sharding
from medr_jax.data import packing
from medr_jax.loader.pipeline import DataConfig, evaluation_batches
from medr_jax.models.config import Activation, ModelConfig
from medr_jax.models.transformer import create_model
from medr_jax.sft.loss import make_loss_fn
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.testing.training import invented_tokenizer, invented_trajectories
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.training.distributed import DistributedConfig, connect
from medr_jax.training.state import named_arrays
from medr_jax.training.step import gradients, make_place

ROWS = 64  # eight micro-batches of a row for each of eight devices
MICRO_BATCHES = (1, 2, 4, 8)


def layouts(tokenizer) -> dict[str, dict[str, np.ndarray]]:
    """The same trajectories one a row and several a row, in as many rows of one length."""
    protocol = get_protocol("compact")
    ledgers = [
        ledger_from_trajectory(trajectory, tokenizer, protocol)
        for trajectory in invented_trajectories(ROWS, seed=2, hits=1)
    ]
    length = 2 * max(len(ledger) for ledger in ledgers)
    config = DataConfig(context_weight=0.3)

    def rows(parts, batch_rows):
        return next(evaluation_batches(packing.pack(parts, length), config, batch_rows=batch_rows))

    single = [rows([ledger], 1) for ledger in ledgers]
    alone = {name: np.concatenate([row[name] for row in single]) for name in single[0]}
    return {"alone": alone, "packed": rows(ledgers, ROWS)}


class OnMesh:
    """The production gradient of a small model on one mesh."""

    def __init__(self, config: ModelConfig, sizes: dict[str, int]):
        self.mesh = make_mesh(MeshConfig(**sizes))
        self._share, self.num_shares = sharding.row_share(self.mesh)
        graph, self._params = nnx.split(create_model(config, self.mesh, seed=0))
        layout = jax.tree.map(lambda array: array.sharding, self._params)
        loss_fn = make_loss_fn(graph)
        self._compiled = jax.jit(
            lambda params, batch: gradients(loss_fn, params, batch, jax.random.key(0), layout)[0],
            out_shardings=NamedSharding(self.mesh, PartitionSpec()),
        )

    def gradients(self, batch: dict[str, np.ndarray], num_micro: int) -> dict[str, np.ndarray]:
        part = {name: array[self._share :: self.num_shares] for name, array in batch.items()}
        with jax.set_mesh(self.mesh):
            placed = make_place(self.mesh, num_micro)(part)
            return jax.device_get(named_arrays(self._compiled(self._params, placed)))

    def mean_of_means(self, batch: dict[str, np.ndarray], num_micro: int) -> dict[str, np.ndarray]:
        rows = ROWS // num_micro
        parts = [
            self.gradients({name: a[i * rows : (i + 1) * rows] for name, a in batch.items()}, 1)
            for i in range(num_micro)
        ]
        return {leaf: sum(part[leaf] for part in parts) / num_micro for leaf in parts[0]}


def main(out: str, meshes: dict[str, dict[str, int]]) -> None:
    tokenizer = invented_tokenizer()
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size, num_layers=1, embed_dim=32, num_heads=2, num_kv_heads=2,
        head_dim=16, mlp_dim=64, short_conv_width=3, activation=Activation.relu2,
    )  # fmt: skip
    batches = layouts(tokenizer)
    found = {}
    for name, sizes in meshes.items():
        on_mesh = OnMesh(config, sizes)
        cases = {
            f"{packed} {name} {num_micro}": on_mesh.gradients(batch, num_micro)
            for packed, batch in batches.items()
            for num_micro in MICRO_BATCHES
        }
        if on_mesh.mesh.size == 1:
            cases[f"means {name} 4"] = on_mesh.mean_of_means(batches["packed"], 4)
        found |= {f"{case} {leaf}": g for case, grads in cases.items() for leaf, g in grads.items()}
    if jax.process_index() == 0:
        np.savez(out, **found)


if __name__ == "__main__":
    path, meshes, processes = sys.argv[1:]
    connect(DistributedConfig(**json.loads(processes)))
    main(path, json.loads(meshes))
