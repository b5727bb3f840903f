"""FLOPs and bytes by hand, for a model whose numbers fit a comment."""

import dataclasses

import pytest

from medr_jax.launch.compile.programs import ProgramName, Settings
from medr_jax.launch.compile.roofline import roofline, work
from medr_jax.launch.compile.topologies import parse_topology
from medr_jax.loader.pipeline import DataConfig
from medr_jax.models.config import ModelConfig, Remat
from medr_jax.models.flops import layer_weights, matmul_weights
from medr_jax.models.transformer import num_parameters
from medr_jax.sampling.engine import EngineConfig
from medr_jax.sharding import MeshConfig
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig

MODEL = ModelConfig(
    vocab_size=10,
    num_layers=2,
    embed_dim=8,
    num_heads=2,
    num_kv_heads=1,
    head_dim=4,
    mlp_dim=16,
    dtype="bfloat16",
    tied_embeddings=False,
)


def settings(**changes):
    parts = {
        "model": MODEL,
        "optimizer": OptimizerConfig(),
        "training": TrainingConfig(batch_rows=4),
        "data": DataConfig(row_length=3),
        "sampling": EngineConfig(num_slots=4, max_length=6, prefill_widths=[2]),
    }
    return Settings(**parts | changes)


def test_weights_are_the_model_s_matrices():
    # query and output 2 * 8*2*4 = 128, key and value 2 * 8*1*4 = 64, MLP 3 * 8*16 = 384
    assert layer_weights(MODEL) == 576
    # two layers and the head of 10 x 8; the embedding is looked up, not multiplied
    assert matmul_weights(MODEL) == 1232
    # what is left of all parameters: embedding 80, five norm scales of 8
    assert num_parameters(MODEL) - matmul_weights(MODEL) == 80 + 5 * 8


def test_a_train_step_counts_matmuls_six_times_and_attention_thrice():
    done = work(ProgramName.sft, settings(), MeshConfig())
    # 12 tokens that see (3 + 1) / 2 = 2 keys on average: 4 * 2 layers * 8 * 12 * 2 = 1536;
    # without the causal half it would be 2304
    assert done.model_flops == 6 * 1232 * 12 + 3 * 1536
    assert done.hardware_flops == 6 * 1232 * 12 + 3.5 * 1536


def test_rematerialisation_costs_a_forward_pass_but_no_model_flops():
    plain, full = (
        work(ProgramName.sft, settings(model=dataclasses.replace(MODEL, remat=remat)), MeshConfig())
        for remat in (Remat.none, Remat.full)
    )
    assert full.model_flops == plain.model_flops
    assert full.hardware_flops - plain.hardware_flops == 2 * 1232 * 12 + 1536


def test_train_bytes():
    done = work(ProgramName.sft, settings(), MeshConfig(fsdp=2, tensor=2))
    weights = 1232 * 2 / 2  # bfloat16, a tensor half, gathered over fsdp
    local = 12 * 8 * 2 / 2  # the residual stream in bfloat16, half of the rows
    # Adam: eight times the float32 quarter; weights read twice; the inputs of 2 layers kept
    assert done.hbm_bytes == 8 * 1232 * 4 / 4 + 2 * weights + 2 * 2 * local
    # half of the weights come from the other, three times; 2 sums a layer, ring all-reduce
    # 2 * local * (2 - 1) / 2, forward and backward
    assert done.ici_bytes == 3 * weights / 2 + 2 * 2 * 2 * local


def test_sequence_exchanges_heads():
    one = work(ProgramName.logprob, settings(), MeshConfig(fsdp=2))
    two = work(ProgramName.logprob, settings(), MeshConfig(sequence=2))
    # 2 layers, 2 * (2 + 1) heads of 4 against 8 embedding dimensions: 3 arrays, half of each
    assert two.ici_bytes - one.ici_bytes == 2 * (12 * 8 * 2 / 2) * 3 / 2
    assert work(ProgramName.logprob, settings(), MeshConfig()).ici_bytes == 0


def test_a_decode_step_reads_weights_and_the_whole_cache():
    done = work(ProgramName.decode, settings(), MeshConfig(data=2))
    assert done.tokens == 4
    assert done.model_flops == 2 * 1232 * 4 + 4 * 2 * 8 * 4 * 6
    # 2 (keys, values) * 2 layers * 1 head * 4 * 2 bytes = 32 a token; 4 slots of 6, half of them
    assert done.hbm_bytes == 1232 * 2 + 32 * 4 * 6 / 2


def test_a_prefill_has_no_output_head():
    done = work(ProgramName.prefill, settings(), MeshConfig())
    assert done.tokens == 8
    assert done.model_flops == 2 * 1152 * 8 + 4 * 2 * 8 * 8 * 6


def test_the_slowest_of_the_three_bounds_the_step():
    topology = parse_topology("v5e:2x2")
    mesh = MeshConfig(fsdp=4)
    bound = roofline(ProgramName.sft, settings(), mesh, topology)
    done = work(ProgramName.sft, settings(), mesh)
    assert bound.compute_s == done.hardware_flops / (4 * 197e12)
    assert bound.hbm_s == done.hbm_bytes / 819e9
    assert bound.ici_s == done.ici_bytes / 200e9
    assert bound.bound_by == "ici"  # 36 bytes of weights a FLOP-poor step
    assert bound.step_s == bound.ici_s
    assert bound.tokens_per_s == pytest.approx(12 / bound.ici_s)
    assert bound.mfu_upper_bound == pytest.approx(done.model_flops / (4 * 197e12 * bound.ici_s))
