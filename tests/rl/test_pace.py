"""Seconds and FLOPs of an iteration's parts, by hand."""

import pytest

from medr_jax.models.config import ModelConfig
from medr_jax.rl import pace
from medr_jax.rl.pace import IterationPace, update_flops

MODEL = ModelConfig(
    vocab_size=10, num_layers=1, embed_dim=4, num_heads=1, num_kv_heads=1, head_dim=4, mlp_dim=8
)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def iteration(run, clock, sample_s=3.0, score_s=1.0, count=16):
    with run.span("sample_s"):
        clock[0] += sample_s
    with run.span("score_s"):
        clock[0] += score_s
    return run.sampled(count)


def test_flops_of_an_update_by_hand(lab):
    rollout = lab.rollout()
    fed, sampled = len(rollout.token_ids) - 1, rollout.num_sampled
    # Weights of the layer: 4 matrices of 4 x 4, and three of 4 x 8; logits: 4 x 10.
    forward = 2 * (4 * 16 + 3 * 32) * fed + 2 * 40 * sampled + 4 * 4 * fed * (fed + 1) / 2
    assert 0 < sampled < fed and update_flops(MODEL, rollout) == 3 * forward


def test_an_iteration_by_hand(clock, lab):
    run = IterationPace(MODEL, peak_flops=1e6)
    assert run.updated(params=None) == {}  # nothing was handed over yet
    assert iteration(run, clock) == {"sample_s": 3.0, "score_s": 1.0}
    rollouts = [lab.rollout(), lab.rollout()]
    run.hand_over(rollouts[:1])
    clock[0] += 1.5  # the first step runs while the second batch is packed
    run.hand_over(rollouts[1:])
    clock[0] += 2.5
    flops = 2 * update_flops(MODEL, rollouts[0])
    assert run.updated(params=None) == {
        "update_s": 4.0,
        "rollouts_per_s": 2.0,  # 16 in 3 + 1 + 4 seconds
        "update_mfu": round(flops / (4.0 * 1e6), 4),
    }


def test_an_update_with_a_pause_in_it_has_no_time(clock, lab):
    run = IterationPace(MODEL, peak_flops=0.0)
    iteration(run, clock)
    run.hand_over([lab.rollout()])
    run.forget()
    clock[0] += 60.0  # a checkpoint, or an evaluation
    run.hand_over([lab.rollout()])  # another step on the same rollouts
    clock[0] += 1.0
    assert run.updated(params=None) == {}
    iteration(run, clock)
    run.hand_over([lab.rollout()])
    clock[0] += 1.0
    assert run.updated(params=None) == {"update_s": 1.0, "rollouts_per_s": 3.2}  # no peak known


def test_a_run_that_goes_on_within_an_iteration_knows_no_time(clock, lab):
    run = IterationPace(MODEL, peak_flops=1e6)
    run.hand_over([lab.rollout()])
    clock[0] += 1.0
    assert run.updated(params=None) == {}
