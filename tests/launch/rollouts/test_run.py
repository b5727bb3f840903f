"""The benchmark of the rollout engine: equal rollouts, a hang, and its report."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from medr_jax.launch.rollouts import report, run, workloads
from medr_jax.launch.rollouts.config import Loop, RolloutBenchConfig, Workload
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.models.transformer import num_parameters
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.sharding import MeshConfig
from medr_jax.testing.models import VOCAB_SIZE, one_device, small_config, small_model
from medr_jax.tokens.tokenizer import TokenizerConfig

BENCH = RolloutBenchConfig(
    rounds=1,
    group_size=2,
    num_prompts=2,
    prompt_tokens=6,
    num_turns=2,
    result_tokens=5,
    completion_tokens=4,
    latency_s=0.01,
    timeout_s=0.3,
    decode_rows=[2, 4],
    prefill_rows=2,
    workloads=[Workload.long],
)
PROMPT, RESULT = BENCH.prompt_tokens, BENCH.result_tokens


@pytest.fixture(scope="module")
def result():
    model = small_model(small_config(scan_layers=False, num_layers=1))
    sizes = EngineConfig(num_slots=4, max_length=BENCH.max_length, chunk_steps=4)

    def build(share_prompts):
        config = dataclasses.replace(sizes, share_prompts=share_prompts)
        return Engine(model, config, mesh=one_device(), stop_ids=(), pad_id=0)

    def episodes(**options):
        return workloads.long_episodes(BENCH, VOCAB_SIZE, **options)

    runs = run.contestants(build)
    result = run.compare(runs, episodes, workloads.slow_tools(BENCH), list, BENCH.rounds)
    hang = run.hang(runs, episodes, BENCH)
    return result | {"hang": hang, "parameters": 12345}


def test_all_sample_the_same_rollouts(result):
    assert result["rollouts"] == result["same_rollouts"] == 4
    for windows in result["windows"].values():
        (window,) = windows
        assert window["tokens"] == window["stats"]["sampled"] > 0


def test_only_the_batch_loop_computes_history_again(result):
    engine, by_turns = (result["windows"][name][0] for name in (run.ENGINE, report.BY_TURNS))
    # Each of two prompts once, less the token that decoding feeds; a result, after the token
    # sampled last, for each of four rollouts.
    assert engine["stats"]["prefilled"] == 2 * (PROMPT - 1) + 4 * RESULT
    # Each of four rollouts computes its prompt; turn two, that and a completion and the result.
    again = by_turns["stats"]["prefilled"] - 4 * (PROMPT - 1)
    assert again >= 4 * (PROMPT + RESULT)
    assert by_turns["stats"]["shared"] == 0
    sharing = result["windows"][run.SHARING][0]["stats"]
    assert sharing["shared"] >= 2 * (PROMPT - 1)
    assert sharing["prefilled"] + sharing["shared"] == by_turns["stats"]["prefilled"]


def test_a_hang_costs_one_rollout(result):
    for row in result["hang"].values():
        # Its own first completion came before the call, and the rest does not depend on it.
        assert row["same_rollouts"] == 4
        assert row["hanging_wall_s"] >= BENCH.timeout_s


def test_the_report_has_every_number(result, tmp_path):
    facts = {"platform": "Linux", "cpus": 2, "cpu": "test", "commit": "c", "command": "run me"}
    report.write(tmp_path, {"long": result}, BENCH, facts)
    saved = json.loads((tmp_path / report.JSON).read_text(encoding="utf-8"))
    assert saved["ratios"]["long"][report.BY_TURNS] == report.ratios(result)
    page = (tmp_path / report.TABLE).read_text(encoding="utf-8")
    assert "run me" in page and "4 of 4" in page and "12,345 parameters" in page
    assert f"{report.ratios(result)[0]:.2f}x" in page


@pytest.mark.parametrize(("name", "value"), [("num_turns", 0), ("workloads", []), ("against", [])])
def test_a_size_of_nothing_is_refused(name, value):
    with pytest.raises(ValueError, match=f"rollouts.{name}="):
        RolloutBenchConfig(**{name: value})


def test_long_needs_nothing_trained(tmp_path):
    config = SimpleNamespace(
        paths=SimpleNamespace(compile_cache=""),
        rollouts=dataclasses.replace(BENCH, against=[Loop.by_turns], hang=False),
        checkpoint="",
        mesh=MeshConfig(),
        weights=WeightsConfig(),
        model=small_config(vocab_size=0, num_layers=1),
        tokenizer=TokenizerConfig(vocab_size=300),
        run_dir=tmp_path,
    )
    run.bench_rollouts(config)
    found = json.loads((tmp_path / report.JSON).read_text(encoding="utf-8"))["results"]["long"]
    assert found["same_rollouts"] == 4
    assert list(found["windows"]) == [report.ENGINE, report.BY_TURNS] and "hang" not in found
    assert found["parameters"] == num_parameters(small_config(vocab_size=300, num_layers=1))
