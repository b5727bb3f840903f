"""The production steps over shapes instead of arrays, by name, ready to be compiled.

Each builder calls what training and sampling call; there is no second step to keep in line.
"""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from medr_jax import sharding
from medr_jax.loader import pipeline
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.config import ModelConfig
from medr_jax.models.kv_cache import KVCache
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import abstract_model
from medr_jax.rl import step as rl_step
from medr_jax.rl.batch import BATCH_DTYPES
from medr_jax.rl.config import RLConfig
from medr_jax.sampling import programs as sampling_programs
from medr_jax.sampling.config import EngineConfig
from medr_jax.sampling.weights import resharded, sampling_mesh
from medr_jax.sft import step as sft_step
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import abstract_state
from medr_jax.training.step import batch_sharding


class ProgramName(enum.Enum):
    """What can be compiled."""

    sft = "sft"  # loss, gradient, optimizer update
    logprob = "logprob"  # log-probabilities of a batch, as an RL step needs them
    prefill = "prefill"  # context into the cache of every slot
    decode = "decode"  # a chunk of sampled tokens for every slot
    rl = "rl"  # policy loss, gradient, update; reference and cache beside it
    rl_score = "rl_score"  # the trainer's log-probabilities of an iteration's rollouts
    rl_decode = "rl_decode"  # the policy samples with the weights that are trained

    @property
    def serves(self) -> bool:
        """Whether it runs on the mesh for sampling rather than on the one for training."""
        return self in (ProgramName.prefill, ProgramName.decode)

    @property
    def samples(self) -> bool:
        """Whether its rows are the sampler's slots."""
        return self.serves or self is ProgramName.rl_decode

    @property
    def reinforces(self) -> bool:
        """Whether it is a part of an RL run, all of which share one mesh and its memory."""
        return self in (ProgramName.rl, ProgramName.rl_score, ProgramName.rl_decode)


@dataclasses.dataclass(kw_only=True, slots=True)
class Settings:
    """The configs that a program is built from."""

    model: ModelConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    data: DataConfig
    sampling: EngineConfig
    inference_dtype: str = "bfloat16"  # of parameters that are stored for inference only
    rl: RLConfig = dataclasses.field(default_factory=RLConfig)


class Program(NamedTuple):
    """A jitted function, its abstract arguments, and which arrays those are."""

    step: Any
    arguments: tuple
    parts: dict[str, Any]  # what is in memory for it: name -> tree of shapes with shardings
    beside: dict[str, Any] = {}  # what a run also has in memory, and this program does not see
    mesh: Mesh | None = None  # where it runs, if not on the mesh that was asked for


def _sft(settings: Settings, mesh: Mesh) -> Program:
    made = sft_step.build(
        abstract_model(settings.model),
        settings.optimizer,
        settings.training,
        mesh,
        make_state=abstract_state,
    )
    batch = _batch(settings, mesh, settings.training.grad_accumulation)
    state = made.state
    parts = {
        "parameters": state.params,
        "optimizer": (state.opt_state, state.step, state.rng),
        "batch": batch,
    }
    return Program(made.step, (state, batch), parts)


def _logprob(settings: Settings, mesh: Mesh) -> Program:
    graph, params = _inference_model(settings, mesh)
    batch = _batch(settings, mesh, 1)

    @jax.jit
    def logprob(params: Any, batch: dict[str, jax.Array]) -> jax.Array:
        model = nnx.merge(graph, params)
        rows = {name: array[0] for name, array in batch.items()}
        hidden = model(rows["token_ids"], rows["positions"], rows["segment_ids"])
        return token_logprobs(model, hidden, rows["target_ids"])

    return Program(logprob, (params, batch), {"parameters": params, "batch": batch})


def _prefill(settings: Settings, mesh: Mesh) -> Program:
    mesh = sampling_mesh(mesh, settings.model, settings.sampling)
    sizes = sampling_programs.sizes(settings.sampling, mesh)
    rows = sizes.parts * sizes.prefill_rows[-1]
    per_row = jax.ShapeDtypeStruct((rows,), jnp.int32)
    tokens = jax.ShapeDtypeStruct((rows, sizes.prefill_widths[-1]), jnp.int32)
    slots = None if sizes.prefill_rows[-1] == sizes.slots else per_row
    batch = (tokens, per_row, jax.ShapeDtypeStruct((rows,), jnp.bool), slots)
    return _sampling(settings, mesh, "prefill", batch)


def _decode(settings: Settings, mesh: Mesh) -> Program:
    mesh = sampling_mesh(mesh, settings.model, settings.sampling)
    return _sampling(settings, mesh, "decode", _decode_batch(settings, mesh))


def _decode_batch(settings: Settings, mesh: Mesh) -> tuple:
    sizes = sampling_programs.sizes(settings.sampling, mesh)
    rows = sizes.parts * sizes.decode_rows[-1]
    per_row = jax.ShapeDtypeStruct((rows,), jnp.int32)
    return per_row, per_row, jax.ShapeDtypeStruct((rows, 2), jnp.uint32), per_row


def _sampling(settings: Settings, mesh: Mesh, name: str, batch: tuple) -> Program:
    graph, params = _inference_model(settings, mesh)
    return _sampling_with(graph, params, settings, mesh, name, batch)


def _sampling_with(
    graph: Any, params: Any, settings: Settings, mesh: Mesh, name: str, batch: tuple
) -> Program:
    cache = kv_cache(settings, mesh)
    # Which ids stop a turn or are banned does not change the size of anything.
    built = sampling_programs.build(graph, settings.sampling, mesh, (1,), (0,))
    step = jax.jit(getattr(built, name), donate_argnums=1)
    parts = {"parameters": params, "kv_cache": cache, "batch": batch}
    return Program(step, (params, cache, *batch), parts, mesh=mesh)


class _Run(NamedTuple):
    """What an RL run holds on its mesh all the time."""

    made: rl_step.RL
    optimizer: Any
    reference: Any  # a copy of the first parameters, as they are stored
    kv_cache: KVCache


def _rl_run(settings: Settings, mesh: Mesh) -> _Run:
    made = rl_step.build(
        abstract_model(settings.model),
        settings.optimizer,
        settings.training,
        settings.rl,
        mesh,
        rl_step.Distribution(settings.sampling.temperature, (0,)),
        make_state=abstract_state,
    )
    state = made.state
    optimizer = (state.opt_state, state.step, state.rng)
    return _Run(made, optimizer, state.params, kv_cache(settings, mesh))


def _rl(settings: Settings, mesh: Mesh) -> Program:
    run, rl = _rl_run(settings, mesh), settings.rl
    batch = _rl_batch(settings, mesh, rl.num_prompts // rl.num_minibatches, BATCH_DTYPES)
    parts = {"parameters": run.made.state.params, "optimizer": run.optimizer, "batch": batch}
    beside = {"reference": run.reference, "kv_cache": run.kv_cache}
    return Program(run.made.step, (run.made.state, batch), parts, beside)


def _rl_score(settings: Settings, mesh: Mesh) -> Program:
    run = _rl_run(settings, mesh)
    dtypes = {name: BATCH_DTYPES[name] for name in rl_step.SCORED}
    batch = _rl_batch(settings, mesh, settings.rl.num_prompts, dtypes)
    params = run.made.state.params
    beside = {
        "optimizer": run.optimizer,
        "reference": run.reference,
        "kv_cache": run.kv_cache,
    }
    return Program(
        run.made.measure, (params, batch), {"parameters": params, "batch": batch}, beside
    )


def _rl_decode(settings: Settings, mesh: Mesh) -> Program:
    run = _rl_run(settings, mesh)
    beside = {"optimizer": run.optimizer, "reference": run.reference}
    trained = run.made.state.params
    mesh = sampling_mesh(mesh, settings.model, settings.sampling)
    params = resharded(trained, settings.model.dtype, mesh, settings.sampling)
    if params is not trained:
        beside["trained"] = trained
    program = _sampling_with(
        run.made.graph, params, settings, mesh, "decode", _decode_batch(settings, mesh)
    )
    return program._replace(beside=beside)


def _rl_batch(
    settings: Settings, mesh: Mesh, num_prompts: int, dtypes: dict[str, Any]
) -> dict[str, jax.ShapeDtypeStruct]:
    rl = settings.rl
    num_micro = -(-num_prompts * rl.group_size // rl.micro_rows)
    return _arrays((num_micro, rl.micro_rows, rl.row_length), dtypes, mesh)


PROGRAMS: dict[ProgramName, Callable[[Settings, Mesh], Program]] = {
    ProgramName.sft: _sft,
    ProgramName.logprob: _logprob,
    ProgramName.prefill: _prefill,
    ProgramName.decode: _decode,
    ProgramName.rl: _rl,
    ProgramName.rl_score: _rl_score,
    ProgramName.rl_decode: _rl_decode,
}


def kv_cache(settings: Settings, mesh: Mesh) -> KVCache:
    """The engine's cache over all slots."""
    sampling = settings.sampling
    mesh = sampling_mesh(mesh, settings.model, sampling)
    return KVCache.abstract(settings.model, sampling.num_slots, sampling.max_length, mesh)


def inference_params(settings: Settings, mesh: Mesh) -> Any:
    """Parameters as a sampler or a reference policy holds them."""
    return _inference_model(settings, mesh)[1]


def bytes_per_device(tree: Any) -> int:
    """Bytes of a tree of shapes on one device; what has no sharding is on all of them."""

    def one(leaf: Any) -> int:
        place = leaf.sharding
        shape = leaf.shape if place is None else place.shard_shape(leaf.shape)
        size = leaf.dtype.itemsize
        for length in shape:
            size *= length
        return size

    return sum(one(leaf) for leaf in jax.tree.leaves(tree))


def _inference_model(settings: Settings, mesh: Mesh) -> tuple[Any, Any]:
    config = dataclasses.replace(settings.model, param_dtype=settings.inference_dtype)
    graph, shapes = nnx.split(abstract_model(config))
    return graph, sharding.abstract_arrays(shapes, sharding.shardings(shapes, mesh))


def _batch(settings: Settings, mesh: Mesh, num_micro: int) -> dict[str, jax.ShapeDtypeStruct]:
    rows = settings.training.batch_rows // num_micro
    return _arrays((num_micro, rows, settings.data.row_length), pipeline.BATCH_DTYPES, mesh)


def _arrays(
    shape: tuple[int, ...], dtypes: dict[str, Any], mesh: Mesh
) -> dict[str, jax.ShapeDtypeStruct]:
    place = batch_sharding(mesh)
    return {
        name: jax.ShapeDtypeStruct(shape, dtype, sharding=place) for name, dtype in dtypes.items()
    }
