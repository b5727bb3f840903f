"""Tokens per second of the rollout engine and of the batch loop, in turns on one machine."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jax.sharding import Mesh

from medr_jax import console
from medr_jax.agent.drivers import Tools, run_slots
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval.evaluate import select_questions
from medr_jax.launch import diagnosis, record, stages, training
from medr_jax.launch.rollouts import report, workloads
from medr_jax.launch.rollouts.by_turns import run_by_turns
from medr_jax.launch.rollouts.config import Loop, RolloutBenchConfig, Workload
from medr_jax.models.transformer import Transformer, num_parameters
from medr_jax.sampling.engine import Engine, EngineConfig, EngineStats
from medr_jax.sft import start
from medr_jax.sft.policy import Policy, load_policy
from medr_jax.sharding import make_mesh
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tools.runtime import standard_tools

ENGINE, SHARING = report.ENGINE, report.SHARING

Make = Callable[[], list[Any]]
"""Fresh episodes, the same each time."""


def bench_rollouts(config: SimpleNamespace) -> Path:
    """Runs the workloads and writes ``rollout.json`` and ``rollout.md`` into the run's folder.

    ``long`` alone needs no dataset: it takes the checkpoint, or else the model as the config has
    it, untrained where that names no weights.
    """
    training.enable_compile_cache(config.paths.compile_cache)
    bench: RolloutBenchConfig = config.rollouts
    mesh = make_mesh(config.mesh)
    checkpoint = config.checkpoint
    if Workload.questions in bench.workloads:
        dataset = stages.synthesize(config)
        checkpoint = checkpoint or training.sft(config, dataset)[1].path
    policy = load_policy(Path(checkpoint), mesh) if checkpoint else None
    model = policy.model if policy else _untrained(config, mesh)
    facts = record.environment() | {"command": record.command("bench_rollout")}
    results = {}
    for workload in bench.workloads:
        with console.stage(workload.value):
            if workload is Workload.questions:
                found = _questions(config, policy, dataset.path)
            else:
                found = _long(bench, model, mesh)
            results[workload.value] = found | {"parameters": num_parameters(model.config)}
        report.write(config.run_dir, results, bench, facts)
    print((config.run_dir / report.TABLE).read_text(encoding="utf-8"))
    return config.run_dir


def _untrained(config: SimpleNamespace, mesh: Mesh) -> Transformer:
    tokenizer = config.tokenizer
    model_config = start.model_config(config.weights, config.model, tokenizer.protocol)
    if not model_config.vocab_size:
        model_config = dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    return start.first_model(config.weights, model_config, mesh, config.rollouts.seed)


Build = Callable[[bool], Engine]
"""An engine; the argument says whether it shares equal prompts."""


def contestants(
    build: Build, against: Sequence[Loop] = tuple(Loop)
) -> dict[str, tuple[Engine, Callable[..., list]]]:
    """Name -> engine and the function that runs episodes on it."""
    engine = build(True)
    runs = {ENGINE: (engine, partial(run_slots, engine=engine, overlap=True))}
    for loop in against:
        own = engine if loop is Loop.sharing else build(False)
        runs[loop.value] = (own, partial(run_by_turns, engine=own))
    return runs


def compare(
    runs: Mapping[str, tuple[Engine, Callable[..., list]]],
    make: Make,
    tools: Tools,
    count: Callable[[list], list[list[int]]],
    rounds: int,
) -> dict[str, Any]:
    """Windows of all contestants; the first run of each compiles and is not counted.

    ``count`` turns what episodes returned into the tokens that each sampled.
    """
    windows: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    outputs = {}
    for number in range(rounds + 1):
        for name in sorted(runs, reverse=bool(number % 2)):
            engine, run = runs[name]
            window, episodes = measure(engine, partial(run, make(), tools=tools))
            outputs[name] = count(episodes)
            if number:
                windows[name].append(window | {"tokens": sum(map(len, outputs[name]))})
    sampled = list(zip(*outputs.values(), strict=True))
    return {
        "windows": windows,
        "rollouts": len(sampled),
        "same_rollouts": sum(all(one == first for one in rest) for first, *rest in sampled),
    }


def measure(engine: Engine, run: Callable[[], list]) -> tuple[dict[str, Any], list]:
    """Wall and CPU seconds of ``run`` and what the engine counted meanwhile."""
    # As with new weights: no prompt is left over from the run before.
    engine.set_params(engine.params, engine.policy_version)
    engine.stats = EngineStats()
    wall, cpu = time.perf_counter(), time.process_time()
    out = run()
    window = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    stats = dataclasses.asdict(engine.stats) | {"occupancy": engine.stats.occupancy}
    return window | {"stats": stats}, out


def _questions(config: SimpleNamespace, policy: Policy, dataset: Path) -> dict[str, Any]:
    bench: RolloutBenchConfig = config.rollouts
    protocol = get_protocol(policy.protocol)
    engine = stages.load_engine(stages.index(config))
    tools = standard_tools(diagnosis.tool_sources(config, engine), config.tools)
    chosen = dataclasses.replace(
        config.evaluation,
        questions_per_hop=-(-bench.num_questions // len(config.evaluation.hops)),
    )
    trajectories = read_trajectories(dataset / "dataset", chosen.split)
    questions = select_questions((t.question for t in trajectories), chosen)
    make = partial(
        workloads.question_episodes,
        questions[: bench.num_questions],
        bench.group_size,
        policy.tokenizer,
        protocol,
        config.agent,
        tools.schemas(),
    )

    def build(share_prompts: bool) -> Engine:
        return Engine(
            policy.model,
            dataclasses.replace(config.sampling, share_prompts=share_prompts),
            mesh=policy.mesh,
            stop_ids=protocol.stop_ids(policy.tokenizer),
            pad_id=protocol.pad_id(policy.tokenizer),
        )

    return compare(contestants(build, bench.against), make, tools, _trained_tokens, bench.rounds)


def _trained_tokens(episodes: Sequence[Any]) -> list[list[int]]:
    ledgers = [episode.ledger for episode in episodes]
    return [ledger.token_ids[ledger.loss_mask].tolist() for ledger in ledgers]


def _long(bench: RolloutBenchConfig, model: Transformer, mesh: Mesh) -> dict[str, Any]:
    sampling = EngineConfig(
        num_slots=bench.num_long,
        max_length=bench.max_length,
        decode_rows=bench.decode_rows,
        prefill_rows=bench.prefill_rows,
        seed=bench.seed,
    )

    def build(share_prompts: bool) -> Engine:
        sizes = dataclasses.replace(sampling, share_prompts=share_prompts)
        # No token stops a turn: each is as long as the script says.
        return Engine(model, sizes, mesh=mesh, stop_ids=(), pad_id=0)

    episodes = partial(workloads.long_episodes, bench, model.config.vocab_size)
    runs = contestants(build, bench.against)
    results = compare(runs, episodes, workloads.slow_tools(bench), list, bench.rounds)
    if bench.hang:
        results["hang"] = hang(runs, episodes, bench)
    return results


def hang(
    runs: Mapping[str, tuple[Engine, Callable[..., list]]],
    episodes: Callable[..., list],
    bench: RolloutBenchConfig,
) -> dict[str, Any]:
    """The same rollouts when a tool hangs for one of them, under each contestant."""
    out: dict[str, Any] = {}
    for name, (engine, run) in runs.items():
        if name == SHARING:
            continue  # waits as the loop without sharing does
        walls, sampled = [], []
        for hanging in (None, 0):
            go = partial(run, episodes(hanging=hanging), tools=workloads.slow_tools(bench))
            window, tokens = measure(engine, go)
            walls.append(window["wall_s"])
            sampled.append(tokens)
        others = sum(one == other for one, other in zip(*sampled, strict=True))
        out[name] = {"wall_s": walls[0], "hanging_wall_s": walls[1], "same_rollouts": others}
    return out
