"""What is compiled ahead of time is what training and sampling run."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx

from medr_jax.data.packing import PackedRows
from medr_jax.launch.compile import programs
from medr_jax.launch.compile.programs import PROGRAMS, ProgramName, Settings, bytes_per_device
from medr_jax.loader.pipeline import DataConfig, evaluation_batches
from medr_jax.models.kv_cache import KVCache
from medr_jax.rl import step as rl_step
from medr_jax.rl.batch import BATCH_DTYPES
from medr_jax.rl.config import RLConfig
from medr_jax.sampling.config import Weights
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.sft import step as sft_step
from medr_jax.testing.models import one_device, small_config, small_model
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, OptimizerName
from medr_jax.training.step import make_place


def settings(optimizer: OptimizerName = OptimizerName.adamw) -> Settings:
    return Settings(
        model=small_config(),
        optimizer=OptimizerConfig(name=optimizer),
        training=TrainingConfig(batch_rows=4, grad_accumulation=2),
        data=DataConfig(row_length=8),
        sampling=EngineConfig(num_slots=3, max_length=16, chunk_steps=2, prefill_widths=[4]),
        inference_dtype="float32",
    )


DISTRIBUTION = rl_step.Distribution(1.0, (0,))


def rl_settings() -> Settings:
    rl = RLConfig(num_prompts=2, group_size=4, micro_rows=2, row_length=16)
    return dataclasses.replace(settings(), rl=rl)


def real_batch(rows: int, length: int) -> dict[str, np.ndarray]:
    """As the loader makes it."""
    ones = np.ones((rows, length), np.int32)
    packed = PackedRows(
        token_ids=ones,
        segment_ids=ones,
        positions=ones,
        target_ids=ones,
        loss_mask=ones.astype(np.uint8),
        target_roles=ones.astype(np.int8),
        trajectory_rows=np.zeros(0, np.int32),
        trajectory_offsets=np.zeros(0, np.int32),
        trajectory_cut=np.zeros(0, np.int32),
    )
    return next(evaluation_batches(packed, DataConfig(row_length=length), batch_rows=rows))


def shapes(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.sharding), tree)


@pytest.mark.parametrize("optimizer", list(OptimizerName))
def test_the_sft_step_is_the_one_that_trains(optimizer):
    asked, mesh = settings(optimizer), one_device()
    program = PROGRAMS[ProgramName.sft](asked, mesh)
    with jax.set_mesh(mesh):
        made = sft_step.build(small_model(), asked.optimizer, asked.training, mesh)
        batch = make_place(mesh, 2)(real_batch(4, 8))
        abstract_state, abstract_batch = program.arguments
        assert shapes(abstract_state) == shapes(made.state)
        assert shapes(abstract_batch) == shapes(batch)
        traced = program.step.trace(*program.arguments).jaxpr
        assert str(traced) == str(made.step.trace(made.state, batch).jaxpr)


def test_prefill_and_decode_are_the_engine_s():
    asked, mesh = settings(), one_device()
    engine = Engine(small_model(), asked.sampling, mesh=mesh, stop_ids=[1], pad_id=0)
    given = {}
    for name in ("prefill", "decode"):
        step = getattr(engine.device.programs, name)

        def record(*arguments, name=name, step=step):
            given[name] = step.trace(*arguments).jaxpr
            return step(*arguments)

        engine.device.programs = engine.device.programs._replace(**{name: record})
    handle = engine.open("a")
    engine.extend(handle, [5, 6, 7], max_tokens=2)
    engine.step()
    for name in given:
        program = PROGRAMS[ProgramName(name)](asked, mesh)
        with jax.set_mesh(mesh):
            traced = program.step.trace(*program.arguments).jaxpr
        assert str(traced) == str(given[name]), name
    assert sorted(given) == ["decode", "prefill"]


def test_logprobs_are_the_model_s(monkeypatch):
    asked, mesh = settings(), one_device()
    program = PROGRAMS[ProgramName.logprob](asked, mesh)
    params = nnx.split(small_model())[1]
    with jax.set_mesh(mesh):
        batch = make_place(mesh)(real_batch(4, 8))
        assert shapes(program.arguments[1]) == shapes(batch)
        got = jax.eval_shape(program.step, params, batch)
    assert got.shape == (4, 8)


def test_the_rl_step_is_the_one_that_trains():
    asked, mesh = rl_settings(), one_device()
    program = PROGRAMS[ProgramName.rl](asked, mesh)
    with jax.set_mesh(mesh):
        made = rl_step.build(
            small_model(), asked.optimizer, asked.training, asked.rl, mesh, DISTRIBUTION
        )
        rows = {name: np.zeros((8, 16), dtype) for name, dtype in BATCH_DTYPES.items()}
        batch = made.place(rows)
        assert shapes(program.arguments[0]) == shapes(made.state)
        assert shapes(program.arguments[1]) == shapes(batch)
        traced = program.step.trace(*program.arguments).jaxpr
        assert str(traced) == str(made.step.trace(made.state, batch).jaxpr)


def test_rl_programs_count_all_that_a_run_holds():
    asked, mesh = rl_settings(), one_device()
    params, moments = (bytes_per_device(tree) for tree in _held(asked, mesh))
    cache = bytes_per_device(programs.kv_cache(asked, mesh))
    found = {
        name.value: {part: bytes_per_device(tree) for part, tree in held(name, asked, mesh).items()}
        for name in (ProgramName.rl, ProgramName.rl_score, ProgramName.rl_decode)
    }
    expected = {"parameters": params, "optimizer": moments, "reference": params, "kv_cache": cache}
    for name, parts in found.items():
        assert {part: parts[part] for part in expected} == expected, name
    assert moments > 2 * params  # Adam's two moments and the counters
    # 8 rollouts: 8 rows of 16 tokens and 9 arrays of 4 bytes; the scorer reads 5 of them.
    assert (found["rl"]["batch"], found["rl_score"]["batch"]) == (8 * 16 * 9 * 4, 8 * 16 * 5 * 4)


def test_sampling_has_a_copy_of_the_weights_where_it_needs_one():
    mesh = one_device()
    asked = rl_settings()
    asked = dataclasses.replace(asked, model=dataclasses.replace(asked.model, dtype="bfloat16"))
    parts = held(ProgramName.rl_decode, asked, mesh)
    stored = bytes_per_device(parts["trained"])
    assert stored == bytes_per_device(parts["reference"])
    assert stored / 2 <= bytes_per_device(parts["parameters"]) < 0.6 * stored
    sampling = dataclasses.replace(asked.sampling, weights=Weights.as_trained)
    parts = held(ProgramName.rl_decode, dataclasses.replace(asked, sampling=sampling), mesh)
    assert bytes_per_device(parts["parameters"]) == stored and "trained" not in parts


def held(name, asked, mesh):
    program = PROGRAMS[name](asked, mesh)
    assert not program.parts.keys() & program.beside.keys()  # nothing is counted twice
    return program.parts | program.beside


def _held(asked, mesh):
    with jax.set_mesh(mesh):
        state = rl_step.build(
            small_model(), asked.optimizer, asked.training, asked.rl, mesh, DISTRIBUTION
        ).state
    return state.params, (state.opt_state, state.step, state.rng)


def test_an_abstract_cache_is_like_a_real_one():
    mesh = one_device()
    config = small_config()
    real = KVCache.create(config, 3, 16)
    abstract = KVCache.abstract(config, 3, 16, mesh)
    describe = functools.partial(jax.tree.map, lambda leaf: (leaf.shape, leaf.dtype))
    assert describe(abstract) == describe(real)


def test_bytes_are_counted_on_one_device():
    mesh = one_device()
    cache = programs.kv_cache(settings(), mesh)
    # keys and values 2 layers * 3 slots * 16 * 2 heads * 8 float32; the convolution's inputs
    # 2*3*3*32, now and at the end of the prompt; lengths
    expected = 2 * (2 * 3 * 16 * 2 * 8 * 4) + 2 * (2 * 3 * 3 * 32 * 4) + 3 * 4
    assert bytes_per_device(cache) == expected
    assert bytes_per_device(None) == 0
    half = dataclasses.replace(settings(), inference_dtype="bfloat16")
    full = bytes_per_device(programs.inference_params(settings(), mesh))
    assert bytes_per_device(programs.inference_params(half, mesh)) * 2 == full
