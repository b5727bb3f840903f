"""Run with eight forced host devices: compares meshes of them with a single device.

Prints one JSON object of largest absolute differences; run by ``test_eight_devices.py``, with
"all" for the cases that are not every day's, with "rollouts" for the engine's.
"""

import dataclasses
import json
import os
import re
import sys
import tempfile
from pathlib import Path

# Unoptimised code is as exact, and this script spends its time compiling.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medr_jax import sharding
from medr_jax.models import hf_weights
from medr_jax.models.config import AttentionBackend, Remat
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import abstract_model, create_model
from medr_jax.sampling.config import Weights
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.testing.models import random_tokens, small_config, small_model
from medr_jax.testing.rollouts import logprob_differences, sampled_ledgers, speaking_model


def loss(params, graph, tokens, segment_ids):
    model = nnx.merge(graph, params)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    states = model(tokens, positions, segment_ids)
    inputs = (model, states[:, :-1], tokens[:, 1:])
    wanted = (positions[:, 1:] * 7 + tokens[:, 1:]) % 3 == 0
    some = token_logprobs(*inputs, wanted, chunk_size=32)
    return -jnp.mean(token_logprobs(*inputs, chunk_size=32)) - jnp.mean(some)


def collectives_of_wanted_tokens():
    """How devices that split rows talk to each other for the log-probabilities of some tokens."""
    mesh = sharding.make_mesh(sharding.MeshConfig(data=2, fsdp=4))
    graph, params = nnx.split(small_model())
    rows = jax.NamedSharding(mesh, jax.P(("data", "fsdp")))

    def summed(params, states, targets, wanted):
        model = nnx.merge(graph, params)
        return token_logprobs(model, states, targets, wanted, chunk_size=16).sum()

    with jax.set_mesh(mesh):
        batch = (jnp.ones((16, 64, 32)), *2 * [jnp.ones((16, 64), jnp.int32)])
        batch = jax.device_put(batch, rows)
        step = jax.jit(jax.grad(summed, (0, 1)))
        text = step.lower(params, *batch).compile().as_text()
    kinds = "all-reduce|all-gather|all-to-all|collective-permute"
    return sorted(set(re.findall(rf" ({kinds})\(", text)))


def completions(model, mesh):
    config = EngineConfig(num_slots=4, max_length=32, chunk_steps=4, prefill_widths=[8])
    engine = Engine(model, config, mesh=mesh, stop_ids=[5], pad_id=0)
    handles = [engine.open(name) for name in "abcd"]
    for index, handle in enumerate(handles):
        engine.extend(handle, list(range(10, 13 + index)), 6)
    while engine.step():
        pass
    return [engine.result(handle) for handle in handles]


def loss_and_gradients(config, mesh, length):
    """From the same weights and tokens on every mesh; two segments a row and padding."""
    graph, params = nnx.split(small_model(config))
    tokens = random_tokens((4, length))
    border = np.arange(length) * 16 // length
    segment_ids = np.where(border < 9, 1, np.where(border < 15, 2, 0)) + np.zeros((4, 1), int)
    with jax.set_mesh(mesh):
        params = jax.device_put(params, sharding.shardings(params, mesh))
        batch = [
            jax.device_put(x, sharding.named_sharding(mesh, ("batch", "length"), x.shape))
            for x in (tokens, jnp.asarray(segment_ids, jnp.int32))
        ]
        step = jax.jit(jax.value_and_grad(loss), static_argnums=1)
        value, gradients = step(params, graph, *batch)
    return float(value), [np.asarray(x) for x in jax.tree.leaves(gradients)]


def differences(one, other):
    return {
        "loss": abs(one[0] - other[0]),
        "gradients": max(float(np.abs(a - b).max()) for a, b in zip(one[1], other[1], strict=True)),
    }


LOOPED = small_config(scan_layers=False)
SPLASH = small_config(head_dim=64, attention=AttentionBackend.splash, num_layers=1)
CHUNKED = small_config(attention=AttentionBackend.chunked, remat=Remat.full)
EVERY_DAY = {
    "cube": (LOOPED, {"data": 2, "fsdp": 2, "tensor": 2}, 16),
    # 4 query heads on 2 key heads: one query head a device, each key head on two of them
    "fewer key heads than devices": (LOOPED, {"data": 2, "tensor": 4}, 16),
}
OTHERS = {
    "no heads to split": (small_config(num_heads=3, num_kv_heads=3), {"tensor": 8}, 16),
    "rows split, heads in attention": (CHUNKED, {"fsdp": 2, "sequence": 4}, 32),
    "rows split, queries in attention": (CHUNKED, {"sequence": 8}, 32),
    "rows and heads split": (LOOPED, {"fsdp": 2, "sequence": 2, "tensor": 2}, 16),
    "splash": (SPLASH, {"data": 2, "sequence": 2, "tensor": 2}, 128),
}
SAMPLING_MESHES = {
    "each part by itself": ({"data": 8}, Weights.gathered),
    "gathered": ({"data": 2, "fsdp": 4}, Weights.gathered),
    "gathered, by heads": ({"fsdp": 4, "sequence": 2}, Weights.gathered),
    "all together": ({"data": 2, "fsdp": 2, "tensor": 2}, Weights.as_trained),
}


def compare(one_device, cases):
    """Loss and gradients of each case against the same on one device."""
    reports = {}
    for name, (config, sizes, length) in cases.items():
        mesh = sharding.make_mesh(sharding.MeshConfig(**sizes))
        plain = dataclasses.replace(config, attention=AttentionBackend.einsum, remat=Remat.none)
        expected = loss_and_gradients(plain, one_device, length)
        reports[name] = differences(expected, loss_and_gradients(config, mesh, length))
    return reports


def memory_per_device(sequence):
    """Bytes of temporaries of a training step over one row of 16,384 tokens."""
    config = small_config(attention=AttentionBackend.chunked, remat=Remat.full, num_layers=4)
    graph, shapes = nnx.split(abstract_model(config))
    mesh = sharding.make_mesh(sharding.MeshConfig(sequence=sequence), jax.devices()[:sequence])

    def placed(shape, where):
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=where)

    row = jax.ShapeDtypeStruct((1, 16384), jnp.int32)
    row = placed(row, sharding.named_sharding(mesh, ("batch", "length"), row.shape))
    with jax.set_mesh(mesh):
        params = jax.tree.map(placed, shapes, sharding.shardings(shapes, mesh))
        step = jax.jit(jax.grad(loss), static_argnums=1)
        compiled = step.lower(params, graph, row, row).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def sampling(one_device, mesh):
    """What the engine samples on both, and that parameters are born equal and split."""
    models = [create_model(LOOPED, where, seed=0) for where in (one_device, mesh)]
    params = [nnx.split(model)[1] for model in models]
    one, other = (completions(*pair) for pair in zip(models, (one_device, mesh), strict=True))
    leaves = (map(np.asarray, jax.tree.leaves(tree)) for tree in params)
    logprobs = [
        np.abs(np.subtract(a.logprobs, b.logprobs)).max() for a, b in zip(one, other, strict=True)
    ]
    return {
        "params": max(float(np.abs(a - b).max()) for a, b in zip(*leaves, strict=True)),
        "tokens_equal": [s.token_ids for s in one] == [s.token_ids for s in other],
        "logprobs": float(max(logprobs)),
        "places": {
            "query": len(params[1]["layers"]["attention"]["query"][...].sharding.device_set),
            "shard": list(params[1]["embedding"][...].addressable_shards[0].data.shape),
        },
    }


def parity(one_device, meshes):
    """|engine - trainer| of rollouts of several turns, sampled and learned from on each mesh."""
    config = EngineConfig(
        num_slots=32, max_length=768, prefill_widths=[64], prefill_rows=32, decode_rows=[8]
    )
    model = speaking_model(scan_layers=False, num_layers=1)
    questions = [f"which gene {i} ?" for i in range(8)]
    expected = sampled_ledgers(model, one_device, config, questions)
    report = {}
    for name, (sizes, weights) in meshes.items():
        mesh = sharding.make_mesh(sharding.MeshConfig(**sizes))
        graph, params = nnx.split(model)
        placed = nnx.merge(graph, jax.device_put(params, sharding.shardings(params, mesh)))
        asked = dataclasses.replace(config, weights=weights)
        ledgers = sampled_ledgers(placed, mesh, asked, questions)
        report[name] = {
            "logprobs": float(logprob_differences(model, mesh, ledgers, row_length=768).max()),
            "turns": min(ledger.num_turns for ledger in ledgers),
            "tokens_equal": all(
                np.array_equal(one.token_ids, other.token_ids)
                for one, other in zip(expected, ledgers, strict=True)
            ),
        }
    return report


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
    one_device = sharding.make_mesh(sharding.MeshConfig(), jax.devices()[:1])
    if sys.argv[1:] == ["all"]:
        memory = {devices: memory_per_device(devices) for devices in (1, 8)}
        json.dump({"cases": compare(one_device, OTHERS), "memory": memory}, sys.stdout)
        return
    if sys.argv[1:] == ["rollouts"]:
        json.dump(parity(one_device, SAMPLING_MESHES), sys.stdout)
        return
    cube = sharding.make_mesh(sharding.MeshConfig(data=2, fsdp=2, tensor=2))
    cases = compare(one_device, EVERY_DAY)
    sampled = sampling(one_device, cube)
    talk = collectives_of_wanted_tokens()
    json.dump(
        {"cases": cases, "loaded": loaded_difference(cube), "talk": talk, **sampled}, sys.stdout
    )


if __name__ == "__main__":
    main()
