"""Run with eight forced host devices: compares a 2x2x2 mesh with a single device.

Prints one JSON object of largest absolute differences; run by ``test_eight_devices.py``.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medr_jax import sharding
from medr_jax.models import hf_weights
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import create_model
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.testing.models import random_tokens, small_config, small_model


def loss(params, graph, tokens, segment_ids):
    model = nnx.merge(graph, params)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    states = model(tokens, positions, segment_ids)
    return -jnp.mean(token_logprobs(model, states[:, :-1], tokens[:, 1:], chunk_size=32))


def completions(model, mesh):
    config = EngineConfig(num_slots=4, max_length=32, chunk_steps=4, prefill_widths=[8])
    engine = Engine(model, config, mesh=mesh, stop_ids=[5], pad_id=0)
    handles = [engine.open(name) for name in "abcd"]
    for index, handle in enumerate(handles):
        engine.extend(handle, list(range(10, 13 + index)), 6)
    while engine.step():
        pass
    return [engine.result(handle) for handle in handles]


def measure(mesh):
    model = create_model(small_config(scan_layers=False), mesh, seed=0)
    graph, params = nnx.split(model)
    tokens = random_tokens((4, 16))
    segment_ids = jnp.where(jnp.arange(16) < 9, 1, 2) + jnp.zeros((4, 1), jnp.int32)
    with jax.set_mesh(mesh):
        batch = [
            jax.device_put(x, sharding.named_sharding(mesh, ("batch", "length"), x.shape))
            for x in (tokens, segment_ids)
        ]
        step = jax.jit(jax.value_and_grad(loss), static_argnums=1)
        value, gradients = step(params, graph, *batch)
    return {
        "params": [np.asarray(x) for x in jax.tree.leaves(params)],
        "loss": float(value),
        "gradients": [np.asarray(x) for x in jax.tree.leaves(gradients)],
        "sampled": completions(model, mesh),
        "places": {
            "query": len(params["layers"]["attention"]["query"][...].sharding.device_set),
            "shard": list(params["embedding"][...].addressable_shards[0].data.shape),
        },
    }


def loaded_difference(mesh):
    """Weights that went through files onto the mesh, against those that never left the host."""
    config = small_config(short_conv_width=0, qk_norm=False, tied_embeddings=False)
    model = small_model(config)
    with tempfile.TemporaryDirectory() as folder:
        hf_weights.save(model, Path(folder) / "one")
        loaded = hf_weights.load(Path(folder) / "one", config, mesh)
        hf_weights.save(loaded, Path(folder) / "two")
        again = hf_weights.load(Path(folder) / "two", config, mesh)
    triples = zip(*(jax.tree.leaves(nnx.state(m)) for m in (model, loaded, again)), strict=True)
    return max(
        float(np.abs(np.asarray(a) - np.asarray(other)).max())
        for a, *others in triples
        for other in others
    ), list(loaded.layers.attention.query[...].addressable_shards[0].data.shape)


def main() -> None:
    one = measure(sharding.make_mesh(sharding.MeshConfig(), jax.devices()[:1]))
    cube = sharding.make_mesh(sharding.MeshConfig(data=2, fsdp=2, tensor=2))
    eight = measure(cube)

    def difference(name):
        pairs = zip(one[name], eight[name], strict=True)
        return max(float(np.abs(a - b).max()) for a, b in pairs)

    logprobs = [
        np.abs(np.subtract(a.logprobs, b.logprobs)).max()
        for a, b in zip(one["sampled"], eight["sampled"], strict=True)
    ]
    report = {
        "params": difference("params"),
        "loss": abs(one["loss"] - eight["loss"]),
        "gradients": difference("gradients"),
        "tokens_equal": [s.token_ids for s in one["sampled"]]
        == [s.token_ids for s in eight["sampled"]],
        "logprobs": float(max(logprobs)),
        "places": eight["places"],
        "loaded": loaded_difference(
            sharding.make_mesh(sharding.MeshConfig(data=2, fsdp=2, tensor=2))
        ),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
