"""An agent on a public benchmark: a checkpoint, or an endpoint's model in several settings."""

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.endpoint.client import Endpoint
from medr_jax.endpoint.config import say_where_data_go
from medr_jax.eval.agents import Bench, endpoint_agent
from medr_jax.eval.benchmarks import base, registry, run
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.eval.benchmarks.run import BenchmarkResult, BenchmarkSummary
from medr_jax.eval.evaluate import Agent
from medr_jax.eval.kept import KeptRollouts
from medr_jax.grading.judge import Judge
from medr_jax.launch import stages
from medr_jax.launch.teach import store_path
from medr_jax.tools.runtime import Sources, standard_tools
from medr_jax.types import Status, Trajectory

RESULTS, SUMMARY = "results.jsonl", "summary.json"


def evaluate_benchmark(config: SimpleNamespace) -> tuple[Benchmark, list[BenchmarkSummary]]:
    """Asks the questions of ``config.path``, grades the answers, and keeps counts and grades.

    Raises:
        ValueError: no such benchmark or file, neither or both of checkpoint and endpoint, a
            judge for a benchmark that is graded by rule, or too many failures on our side; the
            same command goes on with what is left.
    """
    benchmark, items, version = _items(config)
    if bool(config.checkpoint) == bool(config.endpoint.model):
        raise ValueError(
            "name who is asked: checkpoint=<training folder> or endpoint.model=<name>, not both"
        )
    if config.judge.model and benchmark.judged is None:
        raise ValueError(
            f"judge.model={config.judge.model!r}: {benchmark.name} is graded by rule "
            f"({benchmark.rule}); leave judge.model empty"
        )
    if config.checkpoint:
        from medr_jax.sft.policy import read_description

        read_description(Path(config.checkpoint))  # a wrong folder is said before the stages run
    graph = stages.graph(config)
    index = stages.index(config, graph)
    sources = Sources(engine=stages.load_engine(index), graph=lambda: stages.load_graph(graph))
    with _judge(config) as judge:
        summaries = [
            _summary(config, agent, benchmark, items, version, index, judge)
            for agent in _agents(config, sources, version)
        ]
    return benchmark, summaries


def _items(config: SimpleNamespace) -> tuple[Benchmark, list[BenchmarkItem], str]:
    benchmark = registry.get(config.benchmark)
    if not config.path:
        raise ValueError(f"path=...: name {benchmark.expected}")
    everything = benchmark.load(config.path)
    chosen = base.select(everything, config.subset)
    return (
        benchmark,
        run.sample(chosen, config.max_questions, config.seed),
        base.version(everything),
    )


def _agents(config: SimpleNamespace, sources: Sources, version: str) -> Iterator[Agent]:
    if config.checkpoint:
        from medr_jax.launch.evaluation import checkpoint_agent
        from medr_jax.sft.policy import load_policy
        from medr_jax.sharding import make_mesh
        from medr_jax.training.compile_cache import enable_compile_cache

        enable_compile_cache(config.paths.compile_cache)
        policy = load_policy(Path(config.checkpoint), make_mesh(config.mesh))
        yield checkpoint_agent(config, policy, sources, config.tools, "model")
        return
    say_where_data_go(config.endpoint)
    bench = Bench(
        endpoint=config.endpoint,
        tools=standard_tools(sources, config.tools),
        limits=config.agent,
        config=config.agents,
        store_path=store_path(config, f"benchmark-{config.benchmark}"),
        benchmark=version,
        index_hash=sources.engine.content_hash,
    )
    for setting in config.agents.settings:
        yield endpoint_agent(setting, bench)


def _summary(
    config: SimpleNamespace,
    agent: Agent,
    benchmark: Benchmark,
    items: Sequence[BenchmarkItem],
    version: str,
    index: Artifact,
    judge: Judge | None,
) -> BenchmarkSummary:
    def build(path: Path) -> Outcome:
        questions = [run.as_question(item, passages=config.passages) for item in items]
        kept = KeptRollouts(path, "rollouts")
        trajectories = kept.complete(questions, agent.roll_out)
        with ThreadPoolExecutor(config.judge.concurrency) as pool:
            graded = functools.partial(run.graded, benchmark, judge=judge)
            results = list(pool.map(graded, items, trajectories))
        _check_judge(results, config.agents.max_failed)
        summary = run.summarize(
            agent.name,
            benchmark,
            results,
            golds=[item.gold for item in items],
            version=version,
            subset=config.subset,
            judge=judge.name if judge else "",
            seconds=kept.seconds,
        )
        jsonl.write(path / RESULTS, results)
        jsonl.write(path / SUMMARY, [summary])
        if config.reveal:
            _reveal(config.run_dir / f"{agent.name.replace('/', '_')}.jsonl", trajectories)
        kept.forget()
        cell = summary.accuracy["all"]
        counts = {"agent": agent.name, "questions": len(results), "accuracy": cell.value}
        return Outcome(content_hash="", counts=counts)

    artifact = stages.run_stage(
        config,
        "benchmark",
        settings={
            "benchmark": benchmark.name,
            "subset": config.subset,
            "max_questions": config.max_questions,
            "seed": config.seed,
            "passages": config.passages,
            "agent": dict(agent.identity),
            "name": agent.name,
            "judge": judge.name if judge else "",
        },
        inputs={"items": version, "index": index.content_hash},
        version=artifacts.code_version("medr_jax.eval", "medr_jax.grading", "medr_jax.agent"),
        build=build,
        shown=("agent", "questions", "accuracy"),
    )
    (summary,) = jsonl.read(artifact.path / SUMMARY, BenchmarkSummary)
    return summary


@contextlib.contextmanager
def _judge(config: SimpleNamespace) -> Iterator[Judge | None]:
    """The judge of ``config.judge``, None when it names no model."""
    if not config.judge.model:
        yield None
        return
    say_where_data_go(config.judge)
    name = re.sub(r"[^\w.-]+", "_", config.judge.model)
    with Endpoint(config.judge) as endpoint:
        yield Judge(endpoint, Path(config.paths.artifacts) / "verdicts" / f"{name}.jsonl")


def _check_judge(results: Sequence[BenchmarkResult], max_failed: int) -> None:
    failed = [result for result in results if result.grade.status is not Status.OK]
    if len(failed) > max_failed:
        raise ValueError(
            f"{len(failed)} answers could not be judged ({failed[0].grade.note[:200]}); run the "
            "same command again: answers and verdicts that are there are kept"
        )


def _reveal(path: Path, trajectories: Sequence[Trajectory]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(path, trajectories)
