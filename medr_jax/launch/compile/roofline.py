"""How fast a step could be at best: FLOPs, bytes and the chip's peak rates, by hand.

XLA's own ``cost_analysis`` counts the body of a scan once, so it is of no use here. Every term
is a lower bound on work, so a predicted time is a lower bound, and an MFU an upper one.
P_layer and P_matmul are those of ``models.flops``.
"""

import dataclasses
from typing import NamedTuple

from medr_jax import sharding
from medr_jax.launch.compile.programs import ProgramName, Settings
from medr_jax.launch.compile.topologies import Topology
from medr_jax.models.config import Remat
from medr_jax.models.flops import attention_flops, layer_weights, matmul_weights
from medr_jax.sampling.config import Weights
from medr_jax.sharding import MeshConfig

BYTES = {"float32": 4, "bfloat16": 2}


class Work(NamedTuple):
    """What one step costs: FLOPs over all chips, bytes on each."""

    tokens: int  # that the step processes
    model_flops: float  # what the mathematics needs: the numerator of MFU
    hardware_flops: float  # what is executed: recomputation included
    hbm_bytes: float  # per chip
    ici_bytes: float  # per chip, received
    formula: str


@dataclasses.dataclass(kw_only=True, slots=True)
class Roofline:
    """The prediction. ``step_s`` is the largest of the three times: all overlap perfectly."""

    tokens: int
    model_flops: float
    hardware_flops: float
    compute_s: float
    hbm_s: float
    ici_s: float
    step_s: float
    bound_by: str
    tokens_per_s: float
    mfu_upper_bound: float
    formula: str


def work(program: ProgramName, settings: Settings, mesh: MeshConfig) -> Work:
    """Lower bounds on what one step of the program does on this mesh."""
    if program in (ProgramName.rl, ProgramName.rl_score):
        settings = _full_rows(settings, program)
    if program in (ProgramName.sft, ProgramName.rl):
        return _train(settings, mesh)
    if program is ProgramName.rl_score:
        program = ProgramName.logprob
    if program is ProgramName.logprob:
        rows, length = settings.training.batch_rows, settings.data.row_length
        return _forward(settings, mesh, rows, length, (length + 1) / 2, head=True)
    sampling = settings.sampling
    if sampling.weights is Weights.gathered:
        mesh = gathered(mesh, settings.model.num_kv_heads)
    new = max(sampling.prefill_widths) if program is ProgramName.prefill else 1
    keys = float(sampling.max_length)
    done = _forward(
        settings, mesh, sampling.num_slots, new, keys, head=program is not ProgramName.prefill
    )
    shards = mesh.data * mesh.fsdp
    tensor = mesh.tensor if settings.model.num_kv_heads % mesh.tensor == 0 else 1
    cache = _cache_bytes(settings) / (shards * tensor)
    return done._replace(hbm_bytes=done.hbm_bytes + cache, formula=_SERVE)


def gathered(mesh: MeshConfig, num_kv_heads: int) -> MeshConfig:
    """The sizes of ``sharding.gathered_mesh``."""
    if mesh.fsdp == mesh.sequence == 1:
        return mesh
    rows, tensor = sharding.gathered_sizes(
        mesh.data * mesh.fsdp, mesh.sequence, mesh.tensor, num_kv_heads
    )
    return dataclasses.replace(mesh, data=rows, fsdp=1, sequence=1, tensor=tensor)


def roofline(
    program: ProgramName, settings: Settings, mesh: MeshConfig, topology: Topology
) -> Roofline:
    """The prediction for one step; of ``decode``, for one token of every slot."""
    done = work(program, settings, mesh)
    chip = topology.chip
    times = {
        "compute": done.hardware_flops / (topology.chips * chip.bf16_flops),
        "hbm": done.hbm_bytes / chip.hbm_bytes_per_s,
        "ici": done.ici_bytes / chip.ici_bytes_per_s,
    }
    bound_by = max(times, key=times.__getitem__)
    step_s = times[bound_by]
    return Roofline(
        tokens=done.tokens,
        model_flops=done.model_flops,
        hardware_flops=done.hardware_flops,
        compute_s=times["compute"],
        hbm_s=times["hbm"],
        ici_s=times["ici"],
        step_s=step_s,
        bound_by=bound_by,
        tokens_per_s=done.tokens / step_s,
        mfu_upper_bound=done.model_flops / (topology.chips * chip.bf16_flops * step_s),
        formula=done.formula,
    )


_TRAIN = (
    "model = 6*P_matmul*tokens + 3*attention, attention = 4*L*N*H*tokens*(T+1)/2 (causal, one "
    "segment a row); executed = 2*passes*P_matmul*tokens + (passes + 0.5)*attention, passes = 3, "
    "or 4 where remat runs a layer's forward again; a fused attention's backward does 2.5 times "
    "its forward's work"
)
_FORWARD = "2*P_matmul*tokens + 4*L*N*H*tokens*(T+1)/2 (causal, one segment a row)"
_SERVE = (
    "2*P*tokens + 4*L*N*H*tokens*S, S = sampling.max_length (all of the cache is read), "
    "P = L*P_layer, and V*D more for decode"
)


def _full_rows(settings: Settings, program: ProgramName) -> Settings:
    """An RL step's rows as those of a batch, if each rollout filled one: the most there can be."""
    rl = settings.rl
    rows = rl.num_prompts * rl.group_size
    if program is ProgramName.rl:
        rows //= rl.num_minibatches
    return dataclasses.replace(
        settings,
        data=dataclasses.replace(settings.data, row_length=rl.row_length),
        training=dataclasses.replace(
            settings.training, batch_rows=rows, grad_accumulation=max(1, rows // rl.micro_rows)
        ),
    )


def _train(settings: Settings, mesh: MeshConfig) -> Work:
    config = settings.model
    tokens = settings.training.batch_rows * settings.data.row_length
    passes = 3 if config.remat in (Remat.none, Remat.dots) else 4
    attention = attention_flops(config, tokens, (settings.data.row_length + 1) / 2)
    weights = matmul_weights(config)
    split = mesh.fsdp * mesh.sequence
    stored = weights * BYTES[config.param_dtype] / (split * mesh.tensor)
    gathered = weights * BYTES[config.dtype] / mesh.tensor
    micro = settings.training.grad_accumulation
    # Read and write parameters, both Adam moments and the gradient once; read the gathered
    # weights in each pass; write and read each layer's input.
    hbm = 8 * stored + (passes - 1) * micro * gathered
    hbm += 2 * config.num_layers * _residual_bytes(settings, mesh, tokens)
    # Weights are gathered forward and backward and gradients scattered; activations move in
    # every pass but that of the weights' gradients.
    ici = 3 * micro * gathered * _others(split) + 2 * stored * _others(mesh.data)
    ici += (passes - 1) * _activation_traffic(settings, mesh, tokens)
    return Work(
        tokens=tokens,
        model_flops=6 * weights * tokens + 3 * attention,
        hardware_flops=2 * passes * weights * tokens + (passes + 0.5) * attention,
        hbm_bytes=hbm,
        ici_bytes=ici,
        formula=_TRAIN,
    )


def _forward(
    settings: Settings, mesh: MeshConfig, rows: int, length: int, keys: float, *, head: bool
) -> Work:
    """A forward pass of ``rows`` x ``length`` tokens that see ``keys`` keys on average."""
    config = settings.model
    tokens = rows * length
    weights = matmul_weights(config) if head else config.num_layers * layer_weights(config)
    flops = 2 * weights * tokens + attention_flops(config, tokens, keys)
    gathered = weights * BYTES[settings.inference_dtype] / mesh.tensor
    ici = gathered * _others(mesh.fsdp * mesh.sequence)
    ici += _activation_traffic(settings, mesh, tokens)
    return Work(tokens, flops, flops, gathered, ici, _FORWARD)


def _residual_bytes(settings: Settings, mesh: MeshConfig, tokens: int) -> float:
    """The residual stream on one chip: split over all axes but tensor."""
    size = tokens * settings.model.embed_dim * BYTES[settings.model.dtype]
    return size / (mesh.data * mesh.fsdp * mesh.sequence)


def _activation_traffic(settings: Settings, mesh: MeshConfig, tokens: int) -> float:
    """Bytes a chip receives in one pass: sums over tensor after attention and MLP (twice the
    array in a ring), and queries, keys, values and results exchanged over sequence."""
    config = settings.model
    local = _residual_bytes(settings, mesh, tokens)
    heads = 2 * (config.num_heads + config.num_kv_heads) * config.head_dim / config.embed_dim
    exchanged = local * heads / mesh.tensor * _others(mesh.sequence)
    return config.num_layers * (2 * 2 * local * _others(mesh.tensor) + exchanged)


def _cache_bytes(settings: Settings) -> float:
    config, sampling = settings.model, settings.sampling
    per_token = 2 * config.num_layers * config.num_kv_heads * config.head_dim
    return float(per_token * BYTES[config.dtype] * sampling.num_slots * sampling.max_length)


def _others(size: int) -> float:
    """Share of a gathered array that comes from the other devices of the axis."""
    return (size - 1) / size
