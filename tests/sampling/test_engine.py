"""The slot engine: results depend on the rollout alone, history is computed once."""

import dataclasses
import random

import numpy as np
import pytest
from flax import nnx

from medr_jax.models.logprobs import token_logprobs
from medr_jax.sampling.config import Weights
from medr_jax.sampling.engine import Engine, EngineConfig, EngineStats
from medr_jax.testing.models import (
    VOCAB_SIZE,
    one_device,
    random_tokens,
    small_config,
    small_model,
    whole_rows,
)
from medr_jax.types import Status

PAD, STOP = 0, 5
OBSERVATION = [7, 8, 9, 10, 11, 12, 13]
PROMPTS = {f"r{i}": [7 + i, *range(20, 22 + 3 * i)] for i in range(4)}
MAX_TOKENS = 9


@pytest.fixture(scope="module")
def model():
    return small_model(small_config(scan_layers=False, num_layers=1))


def make_engine(model, **changes) -> Engine:
    config = EngineConfig(
        num_slots=4, max_length=64, chunk_steps=4, prefill_rows=2, prefill_widths=[4, 8]
    )
    config = dataclasses.replace(config, **changes)
    return Engine(model, config, mesh=one_device(), stop_ids=[STOP], pad_id=PAD)


def two_turns(engine, names):
    """(rollout, turn) -> Sampled; more rollouts than slots wait for a free one."""
    waiting, running, results = list(names), {}, {}
    while waiting or running:
        while waiting and engine.num_free:
            name = waiting.pop(0)
            running[name] = (engine.open(name), 0)
            engine.extend(running[name][0], PROMPTS[name], MAX_TOKENS, 0)
        engine.step()
        for name, (handle, turn) in list(running.items()):
            sampled = engine.result(handle)
            if sampled is None:
                continue
            results[name, turn] = sampled
            if turn == 0:
                engine.extend(handle, OBSERVATION, MAX_TOKENS, 1)
                running[name] = (handle, 1)
            else:
                engine.close(handle)
                del running[name]
    return results


@pytest.fixture(scope="module")
def results(model):
    return two_turns(make_engine(model), PROMPTS)


def test_slot_neighbours_and_number_of_slots_do_not_matter(model, results):
    others = [
        two_turns(make_engine(model, num_slots=1), ["r2"]),
        two_turns(make_engine(model, num_slots=3, chunk_steps=3), ["r3", "r1", "r0", "r2"]),
        two_turns(make_engine(model, num_slots=2, prefill_widths=[3]), ["r1", "r3", "r2"]),
    ]
    for other in others:
        for key, sampled in other.items():
            assert sampled.token_ids == results[key].token_ids, key
            np.testing.assert_allclose(sampled.logprobs, results[key].logprobs, atol=1e-5)


@pytest.mark.slow
def test_another_seed_samples_otherwise(model, results):
    other = two_turns(make_engine(model, seed=1), ["r0"])
    assert other["r0", 0].token_ids != results["r0", 0].token_ids


def test_logprobs_are_the_trainers(model, results):
    for name, prompt in PROMPTS.items():
        first, second = results[name, 0], results[name, 1]
        history = [*prompt, *first.token_ids, *OBSERVATION, *second.token_ids]
        row = np.asarray([history], np.int32)
        states = model(row, *whole_rows(row))
        logprobs = token_logprobs(model, states[:, :-1], row[:, 1:], banned_ids=(PAD,))[0]
        begin = len(prompt) - 1
        got = logprobs[begin : begin + len(first.token_ids)]
        np.testing.assert_allclose(got, first.logprobs, atol=1e-5)
        np.testing.assert_allclose(logprobs[-len(second.token_ids) :], second.logprobs, atol=1e-5)


def test_compiled_shapes_are_fixed(model):
    engine = make_engine(model, num_slots=3)
    two_turns(engine, PROMPTS)
    two_turns(engine, list(PROMPTS)[::-1])
    before = engine.device.num_compiled
    two_turns(engine, list(PROMPTS)[::-1])
    # clear, share, decode and one prefill per width; nothing new for other lengths or turns
    assert before <= 5
    assert engine.device.num_compiled == before


def greedy_reference(model, prompt, max_tokens):
    row, out = list(prompt), []
    while len(out) < max_tokens:
        ids = np.asarray([row], np.int32)
        logits = np.array(model.logits(model(ids, *whole_rows(ids))[:, -1])[0])
        logits[PAD] = -np.inf
        row.append(int(logits.argmax()))
        out.append(row[-1])
        if out[-1] == STOP:
            break
    return tuple(out)


def test_greedy_equals_feeding_the_whole_row_each_time(model):
    engine = make_engine(model, temperature=0.0)
    handle = engine.open("x")
    engine.extend(handle, PROMPTS["r1"], 6)
    assert engine.result(handle) is None
    while engine.step():
        pass
    assert engine.result(handle).token_ids == greedy_reference(model, PROMPTS["r1"], 6)


def test_stop_ends_a_row_and_is_part_of_the_result(model):
    stopping = small_model(dataclasses.replace(model.config, tied_embeddings=False))
    stopping.head[...] = np.zeros((VOCAB_SIZE, 32), np.float32)
    engine = Engine(
        stopping,
        EngineConfig(num_slots=2, max_length=64, chunk_steps=4, temperature=0.0),
        mesh=one_device(),
        stop_ids=[1],
        pad_id=PAD,
    )
    handle = engine.open("x")
    engine.extend(handle, [3, 4], 9)
    engine.step()
    # Equal logits: the lowest id wins, pad (0) being banned. So 1, the stop token, comes first.
    sampled = engine.result(handle)
    assert sampled.token_ids == (1,)
    assert sampled.status is Status.OK
    assert sampled.logprobs[0] == pytest.approx(-np.log(VOCAB_SIZE - 1), abs=1e-5)


def test_limits_truncate(model):
    engine = make_engine(model, max_length=16, temperature=0.0)
    handle = engine.open("x")
    engine.extend(handle, [20] * 10, 3)
    while engine.step():
        pass
    assert len(engine.result(handle).token_ids) == 3
    assert engine.result(handle).status is Status.TRUNCATED
    # 13 of 16 places are used, the last sampled token among them; 2 more leave room for 1.
    engine.extend(handle, [20] * 2, 9)
    while engine.step():
        pass
    assert len(engine.result(handle).token_ids) == 1
    assert engine.result(handle).status is Status.TRUNCATED
    engine.extend(handle, [20], 9)
    assert engine.result(handle).token_ids == ()
    assert engine.result(handle).status is Status.TRUNCATED


def test_a_slot_is_reused_without_a_trace(model, results):
    engine = make_engine(model, num_slots=1)
    again = two_turns(engine, ["r3", "r0"])
    assert again["r0", 1].token_ids == results["r0", 1].token_ids
    handle = engine.open("abandoned")
    engine.extend(handle, PROMPTS["r2"], 9)
    engine.step()
    engine.close(handle)  # while running
    assert two_turns(engine, ["r1"])["r1", 1].token_ids == results["r1", 1].token_ids


def test_new_parameters_change_results_and_are_refused_while_rollouts_are_open(model):
    engine = make_engine(model, temperature=0.0)
    handle = engine.open("x")
    with pytest.raises(ValueError, match="1 rollouts are open on policy version 0"):
        engine.set_params(nnx.state(model), 1)
    engine.close(handle)
    other = small_model(model.config, seed=9)
    engine.set_params(nnx.state(other), 3)
    handle = engine.open("x")
    engine.extend(handle, PROMPTS["r1"], 5)
    while engine.step():
        pass
    sampled = engine.result(handle)
    assert sampled.token_ids == greedy_reference(other, PROMPTS["r1"], 5)
    assert sampled.policy_version == 3
    assert engine.device.num_compiled <= 4


def test_weights_are_kept_in_the_dtype_that_computes():
    stored = small_model(small_config(scan_layers=False, num_layers=1, dtype="bfloat16"))
    found = {}
    for weights in Weights:
        engine = make_engine(stored, weights=weights)
        params = nnx.to_flat_state(engine.params)
        dtypes = {path[-1]: str(leaf.get_value().dtype) for path, leaf in params}
        assert dtypes["query"] == ("bfloat16" if weights is Weights.gathered else "float32")
        assert dtypes["scale"] == "float32"
        found[weights] = two_turns(engine, PROMPTS)
    assert found[Weights.gathered] == found[Weights.as_trained]  # bit for bit


def same(one, other):
    return one.token_ids == other.token_ids and np.allclose(one.logprobs, other.logprobs, atol=1e-5)


def group_of(engine, names, prompt, budget=4):
    """Results of rollouts from one prompt, as many at once as there are slots."""
    waiting, running, results = list(names), {}, {}
    while waiting or running:
        while waiting and engine.num_free:
            running[waiting[0]] = engine.open(waiting[0])
            engine.extend(running[waiting.pop(0)], prompt, budget)
        engine.step()
        for name, handle in list(running.items()):
            if (sampled := engine.result(handle)) is not None:
                results[name] = sampled
                engine.close(running.pop(name))
    return results


def test_a_group_s_prompt_is_computed_once(model):
    names, prompt = [f"g{i}" for i in range(6)], list(range(20, 33))
    alone, one = {}, make_engine(model, num_slots=1, chunk_steps=2)
    for name in names:
        one.set_params(one.params, 0)  # forgets the prompt
        alone |= group_of(one, [name], prompt)
    assert (one.stats.prefilled, one.stats.shared) == (6 * 12, 0)
    # Three slots for six rollouts: later ones start from rollouts that have gone on.
    engine = make_engine(model, num_slots=3, chunk_steps=2)
    results = group_of(engine, names, prompt)
    assert (engine.stats.prefilled, engine.stats.shared) == (12, 5 * 12)
    assert all(same(results[name], alone[name]) for name in names)
    assert len({sampled.token_ids for sampled in results.values()}) > 1


@pytest.mark.slow
def test_a_kept_prompt_does_not_outlive_the_weights(model):
    prompt = list(range(20, 33))
    engine = make_engine(model, temperature=0.0)
    group_of(engine, ["a"], prompt)
    other = small_model(model.config, seed=9)
    engine.set_params(nnx.state(other), 1)
    sampled = group_of(engine, ["a"], prompt)["a"]
    # With the old weights' keys and values the tokens would differ.
    assert sampled.token_ids == greedy_reference(other, prompt, 4)
    assert engine.stats.shared == 0


def test_an_overwritten_prompt_is_not_taken(model, results):
    engine = make_engine(model, num_slots=1)
    for name in ("r0", "r1", "r0"):
        assert same(two_turns(engine, [name])[name, 1], results[name, 1])
    assert engine.stats.shared == 0


def delayed(engine, names, rng):
    """``two_turns`` whose tool results come after a random number of steps."""
    waiting, running, results, held = list(names), {}, {}, {}
    while waiting or running:
        while waiting and engine.num_free:
            name = waiting.pop(0)
            running[name] = engine.open(name)
            engine.extend(running[name], PROMPTS[name], MAX_TOKENS, 0)
        engine.step()
        for name, handle in list(running.items()):
            if name in held:
                held[name] -= 1
                if held[name] == 0:
                    engine.extend(handle, OBSERVATION, MAX_TOKENS, 1)
            elif (sampled := engine.result(handle)) is not None:
                results[name, 0] = sampled
                held[name] = rng.randint(1, 4)
            if held.get(name, 1) <= 0 and (sampled := engine.result(handle)) is not None:
                results[name, 1] = sampled
                engine.close(running.pop(name))
    return results


def test_order_and_tool_timing_do_not_matter(model, results):
    engine = make_engine(model, decode_rows=[2], prefill_rows=1)
    for seed in range(3):
        rng = random.Random(seed)
        names = rng.sample(list(PROMPTS), len(PROMPTS))
        engine.stats = EngineStats()
        for key, sampled in delayed(engine, names, rng).items():
            assert same(sampled, results[key]), (seed, key)
        # Those that waited gave their places among the first two slots to others.
        assert engine.stats.moved > 0
        assert engine.stats.sampled == sum(len(r.token_ids) for r in results.values())


def test_few_rollouts_take_few_rows(model):
    engine = make_engine(model, num_slots=4, decode_rows=[1, 4])
    group_of(engine, ["a"], [20, 21])
    assert engine.stats.occupancy == 1.0  # of 4 rows it would be a quarter
    assert engine.stats.decode_places == engine.stats.sampled


@pytest.mark.parametrize(
    ("new_ids", "max_tokens", "named"),
    [([], 3, "0 new ids"), ([1], 0, "max_tokens=0"), ([VOCAB_SIZE], 3, "vocabulary of 64")],
)
def test_impossible_extensions_are_refused(model, new_ids, max_tokens, named):
    engine = make_engine(model)
    handle = engine.open("x")
    with pytest.raises(ValueError, match=named):
        engine.extend(handle, new_ids, max_tokens)


def test_misuse_is_refused(model):
    engine = make_engine(model, num_slots=1)
    handle = engine.open("x")
    with pytest.raises(ValueError, match="all 1 slots are open"):
        engine.open("y")
    engine.extend(handle, [3], 4)
    with pytest.raises(ValueError, match="still running"):
        engine.extend(handle, [3], 4)
    assert not make_engine(model).step()
    with pytest.raises(ValueError, match="share"):
        Engine(model, EngineConfig(), mesh=one_device(), stop_ids=[PAD], pad_id=PAD)


@pytest.mark.parametrize("rows", [[0], [3, 9]])
def test_decode_rows_fit_the_slots(rows):
    with pytest.raises(ValueError, match="decode_rows"):
        EngineConfig(num_slots=8, decode_rows=rows)


@pytest.mark.parametrize("field", ["num_slots", "max_length", "chunk_steps", "prefill_rows"])
def test_sizes_must_be_positive(field):
    with pytest.raises(ValueError, match=f"{field}=0"):
        EngineConfig(**{field: 0})


@pytest.mark.slow
def test_prompts_longer_than_a_prefill_come_in_pieces(model):
    prompt = np.asarray(random_tokens((30,))).tolist()
    engine = make_engine(model, temperature=0.0, prefill_widths=[8])
    handle = engine.open("x")
    engine.extend(handle, prompt, 3)
    while engine.step():
        pass
    assert engine.result(handle).token_ids == greedy_reference(model, prompt, 3)


@pytest.mark.parametrize(("together", "places"), [(1, 8), (2, 32), (4, 32)])
def test_places_of_a_prefill_are_those_that_it_computes(model, together, places):
    # One row is a block of its own; from two on a pass of all four costs less.
    engine = make_engine(model, prefill_rows=4, prefill_widths=[8], share_prompts=False)
    for name in list(PROMPTS)[:together]:
        engine.extend(engine.open(name), [*range(20, 26)], 1)
    engine.step()
    assert engine.stats.prefill_places == places
    assert engine.stats.prefilled == 5 * together
