"""Load time, memory and chains a second of our graph beside networkx, in one run.

Both sides hold equal content and load it from their own cache; each measurement is a process
of its own, and the sides alternate. Chains must come out the same.
"""

import importlib.util
import json
import pickle
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from medr_jax import artifacts, console, jsonl
from medr_jax.artifacts import Outcome
from medr_jax.graph.build import GraphConfig, SourceConfig, build_graph
from medr_jax.launch import record
from medr_jax.launch.bench_graph.config import GraphBenchConfig
from medr_jax.launch.bench_graph.generate import generate_primekg
from medr_jax.launch.bench_graph.networkx_side import to_networkx
from medr_jax.launch.bench_graph.worker import NETWORKX, OURS, PICKLE, RELATIONS
from medr_jax.launch.stages import run_stage
from medr_jax.types import Kind

JSON, TABLE = "bench_graph.json", "bench_graph.md"
GOALS = {"load_s": 20.0, "bytes_after_chains": 20.0, "chains_s": 5.0}
"""What networkx needs / what we need, at least. Memory counts after the chains: right after the
load hardly any of our mapped files is resident, which would flatter us."""
_ROWS = (
    ("load_s", "load from cache", "CPU s", 1.0),
    ("load_bytes", "memory after the load", "MB", 1e6),
    ("bytes_after_chains", "memory after the chains", "MB", 1e6),
    ("peak_bytes", "highest memory", "MB", 1e6),
    ("chains_s", "all chains", "CPU s", 1.0),
)


def bench_graph(config: SimpleNamespace) -> Path:
    """Generates the set, measures both sides, writes ``bench_graph.json`` and ``.md``.

    Raises:
        ValueError: networkx is not installed, a side failed, or a chain differs.
    """
    if importlib.util.find_spec("networkx") is None:
        raise ValueError("networkx is not installed: pip install 'medr-jax[bench]'")
    bench: GraphBenchConfig = config.graph_bench
    folder = _prepared(config, bench)
    graph_counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    job_file = config.run_dir / "job.json"
    job_file.parent.mkdir(parents=True, exist_ok=True)
    job = {
        "seed": bench.seed,
        "seeds": graph_counts["seeds"][: bench.num_seeds],
        "max_hops": bench.max_hops,
        "max_expansions": bench.max_expansions,
    }
    job_file.write_text(json.dumps(job), encoding="utf-8")
    rounds: dict[str, list[dict[str, Any]]] = {OURS: [], NETWORKX: []}
    for number in range(bench.rounds):
        for side, found in rounds.items():
            with console.stage(f"{side} {number + 1}") as line:
                found.append(_measured(side, folder, job_file))
                line["load_s"] = found[-1]["load_s"]
                line["chains_s"] = found[-1]["chains_s"]
    report = summarize(rounds, graph_counts, bench)
    report["environment"] = record.environment()
    jsonl.write(config.run_dir / JSON, [report])
    table = markdown(report)
    (config.run_dir / TABLE).write_text(table, encoding="utf-8")
    print(table)
    return config.run_dir


def _prepared(config: SimpleNamespace, bench: GraphBenchConfig) -> Path:
    """Both caches and the seeds, made once per size and seed."""
    settings = {"seed": bench.seed, "nodes": bench.num_nodes, "edges": bench.num_edges}

    def build(path: Path) -> Outcome:
        files = path / "primekg"
        generate_primekg(
            files, seed=bench.seed, num_nodes=bench.num_nodes, num_edges=bench.num_edges
        )
        source = SourceConfig(format="primekg", path=str(files))
        graph = build_graph(GraphConfig(sources=[source]))
        graph.save(path / "graph")
        (path / PICKLE).write_bytes(pickle.dumps(to_networkx(graph), protocol=5))
        degrees = graph.adjacency.degrees(RELATIONS)
        diseases = [graph.position(one) for one in graph.entity_ids(Kind.DISEASE)]
        linked = [position for position in diseases if degrees[position]]
        order = np.random.default_rng(bench.seed).permutation(len(linked))
        counts = {
            "nodes": len(graph),
            "edges": len(graph.columns),
            "seeds": [linked[i] for i in order.tolist()],
        }
        (path / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
        for file in files.iterdir():
            file.unlink()  # a third of a gigabyte that nobody reads again
        return Outcome(
            content_hash=graph.content_hash,
            counts={"nodes": counts["nodes"], "edges": counts["edges"]},
        )

    artifact = run_stage(
        config,
        "bench_graph",
        settings=settings,
        inputs={},
        version=artifacts.code_version("medr_jax.graph", "medr_jax.launch.bench_graph"),
        build=build,
        shown=("nodes", "edges"),
    )
    return artifact.path


def _measured(side: str, folder: Path, job: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "medr_jax.launch.bench_graph.worker", side, str(folder), str(job)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(f"{side}: the measurement failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def summarize(
    rounds: dict[str, list[dict[str, Any]]], counts: dict[str, Any], bench: GraphBenchConfig
) -> dict[str, Any]:
    """Medians, ratios (networkx / ours) and whether they reach the goals.

    Raises:
        ValueError: the two sides found different chains.
    """
    expected = rounds[OURS][0]["chains"]
    for side, found in rounds.items():
        for one in found:
            for number, (mine, theirs) in enumerate(zip(expected, one["chains"], strict=True)):
                if mine != theirs:
                    raise ValueError(f"{side}: chain {number} is {theirs}, ours was {mine}")
    medians = {
        side: {name: statistics.median(one[name] for one in found) for name, *_ in _ROWS}
        for side, found in rounds.items()
    }
    ratios = {name: medians[NETWORKX][name] / max(medians[OURS][name], 1e-9) for name, *_ in _ROWS}
    lengths = [len(chain) - 1 for chain, _ in expected]
    return {
        "nodes": counts["nodes"],
        "edges": counts["edges"],
        "settings": {name: getattr(bench, name) for name in bench.__slots__},
        "medians": medians,
        "ratios": ratios,
        "goals": GOALS,
        "reached": {name: ratios[name] >= goal for name, goal in GOALS.items()},
        "chains": len(expected),
        "mean_hops": statistics.fmean(lengths),
        "proven_longest": sum(optimal for _, optimal in expected),
        "rounds": {
            side: [{k: v for k, v in one.items() if k != "chains"} for one in found]
            for side, found in rounds.items()
        },
    }


def markdown(report: dict[str, Any]) -> str:
    """The table with what stands behind it."""
    ours, theirs = report["medians"][OURS], report["medians"][NETWORKX]
    lines = [
        f"# Graph beside networkx: {report['nodes']:,} nodes, {report['edges']:,} edges",
        "",
        "| | ours | networkx | ratio | goal |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, label, unit, scale in _ROWS:
        goal = f"≥ {GOALS[name]:.0f}×" if name in GOALS else ""
        lines.append(
            f"| {label} ({unit}) | {ours[name] / scale:,.3g} | {theirs[name] / scale:,.3g} | "
            f"{report['ratios'][name]:.1f}× | {goal} |"
        )
    settings = report["settings"]
    lines += [
        "",
        f"{report['chains']} chains of at most {settings['max_hops']} hops, "
        f"{settings['max_expansions']:,} expansions each, mean {report['mean_hops']:.2f} hops, "
        f"{report['proven_longest']} proven longest; both sides found the same. Medians of "
        f"{settings['rounds']} rounds, a process each, sides alternating. Memory is resident "
        "memory above that of the started process; our arrays are mapped files, of which only "
        "what is looked at becomes resident. networkx loads its pickle with the garbage "
        "collector off, which favours it.",
        "",
    ]
    return "\n".join(lines)
