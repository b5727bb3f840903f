"""This library in the benchmark: the production train step and the production engine."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from medr_jax.launch.bench.job import ADAMW, Bench, Job, prompts, train_tokens
from medr_jax.models import flops, hf_weights
from medr_jax.models.transformer import Transformer, create_model, num_parameters
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.sft.step import build
from medr_jax.sharding import make_mesh
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, Schedule
from medr_jax.training.step import make_place

PEAK_SIZE, PEAK_TRIES = 1024, 3


def train(job: Job) -> Bench:
    """SFT steps with a weight of 1 on every token that has a target."""
    mesh = make_mesh(job.mesh)
    model = _model(job, mesh)
    with jax.set_mesh(mesh):
        made = build(model, _optimizer(), TrainingConfig(seed=job.bench.seed), mesh)
    place = make_place(mesh)
    host_batch = _batch(train_tokens(job))
    state = made.state

    def run(count: int) -> float:
        nonlocal state
        first = None
        with jax.set_mesh(mesh):
            for _ in range(count):
                state, metrics = made.step(state, place(host_batch))
                first = metrics["loss"] if first is None else first
            jax.block_until_ready(state)
        return float(first.total / first.count)

    facts = _facts(job, mesh) | {
        "padding_share": float(np.mean(host_batch["segment_ids"] == 0)),
        "flops_per_run": flops.train_flops(job.model, job.bench.rows, job.bench.length),
    }
    return Bench(run=run, tokens=host_batch["token_ids"].size, facts=facts, **_probes(job, mesh))


def decode(job: Job) -> Bench:
    """Greedy completions by the engine, each prompt a new rollout."""
    bench = job.bench
    mesh = make_mesh(job.mesh)
    config = EngineConfig(
        temperature=0.0,
        num_slots=bench.decode_rows,
        max_length=bench.prompt_length + bench.new_tokens,
        prefill_rows=bench.decode_rows,
        prefill_widths=[bench.prompt_length - 1],  # the last token is fed by decoding
    )
    engine = Engine(_model(job, mesh), config, mesh=mesh, stop_ids=(), pad_id=0)
    ids = prompts(job).tolist()

    def run(count: int) -> list[int]:
        for _ in range(count):
            handles = [engine.open(number) for number in range(len(ids))]
            for handle, prompt in zip(handles, ids, strict=True):
                engine.extend(handle, prompt, bench.new_tokens)
            while engine.step():
                pass
            first = list(engine.result(handles[0]).token_ids)
            for handle in handles:
                engine.close(handle)
        return first

    facts = _facts(job, mesh) | {
        "padding_share": 0.0,
        "flops_per_run": flops.decode_flops(
            job.model, bench.decode_rows, bench.prompt_length, bench.new_tokens
        ),
    }
    tokens = bench.decode_rows * bench.new_tokens
    return Bench(run=run, tokens=tokens, facts=facts, **_probes(job, mesh))


def _model(job: Job, mesh: Mesh) -> Transformer:
    model = create_model(job.model, mesh, job.bench.seed)
    if job.weights is not None:
        hf_weights.save(model, job.weights)
    return model


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(schedule=Schedule.constant, warmup_steps=0, **ADAMW._asdict())


def _batch(token_ids: np.ndarray) -> dict[str, np.ndarray]:
    has_target = np.ones(token_ids.shape, np.float32)
    has_target[:, -1] = 0
    places = np.arange(token_ids.shape[1], dtype=np.int32)
    return {
        "token_ids": token_ids,
        "target_ids": np.roll(token_ids, -1, axis=1),
        "positions": np.broadcast_to(places, token_ids.shape),
        "segment_ids": np.ones(token_ids.shape, np.int32),
        "loss_weights": has_target,
        "loss_mask": has_target.astype(np.int32),
    }


def _facts(job: Job, mesh: Mesh) -> dict[str, Any]:
    device = jax.devices()[0]
    peak, source = flops.known_peak(device.device_kind), "table by device kind, bfloat16"
    if peak is None:
        dtype = job.model.dtype
        source = f"measured: best {dtype} product of {PEAK_SIZE}^2 matrices between windows"
    else:
        peak *= mesh.size
    return {
        "versions": {"jax": jax.__version__},
        "device": device.device_kind,
        "devices": mesh.size,
        "parameters": num_parameters(job.model),
        "dtype": job.model.dtype,
        "attention": job.model.attention.value,
        "peak_flops": peak,
        "peak_source": source,
    }


def _probes(job: Job, mesh: Mesh) -> dict[str, Any]:
    device = jax.devices()[0]
    probes: dict[str, Any] = {}
    if device.platform != "cpu":
        probes["peak_memory"] = lambda: device.memory_stats()["peak_bytes_in_use"]
    if flops.known_peak(device.device_kind) is None:
        probes["peak_flops"] = lambda: _measured_peak(job.model.dtype, mesh)
    return probes


_products = jax.jit(lambda matrices: matrices @ matrices)


def _measured_peak(dtype: str, mesh: Mesh) -> float:
    """FLOP/s of all devices together, one product on each at a time."""
    each = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    matrices = jax.device_put(jnp.ones((mesh.size, PEAK_SIZE, PEAK_SIZE), dtype), each)
    seconds = []
    for _ in range(PEAK_TRIES):
        start = time.perf_counter()
        _products(matrices).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return mesh.size * 2 * PEAK_SIZE**3 / min(seconds)
