"""The measurements as a table and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medr_jax.launch.serving_bench.clients import Sample

JSON, TABLE = "serving.json", "serving.md"
_SHOWN_ERRORS = 5


def summary(samples: Sequence[Sample], seconds: float) -> dict[str, Any]:
    """Counts and latencies of one transport, over all calls and for each tool."""
    errors = Counter(sample.error[:200] for sample in samples if sample.error)
    tools = sorted({sample.tool for sample in samples})
    return {
        "calls": len(samples),
        "errors": sum(errors.values()),
        "examples": dict(errors.most_common(_SHOWN_ERRORS)),
        "calls_per_s": len(samples) / seconds,
        **_percentiles([sample.latency_ms for sample in samples]),
        "tools": {
            tool: _percentiles([one.latency_ms for one in samples if one.tool == tool])
            for tool in tools
        },
    }


def _percentiles(latencies_ms: Sequence[float]) -> dict[str, float]:
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    return {
        "n": len(latencies_ms),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "max_ms": max(latencies_ms),
    }


def write(results: Mapping[str, Any], folder: Path) -> Path:
    """Both files; gives the path of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / TABLE).write_text(table(results), encoding="utf-8")
    return folder / TABLE


def table(results: Mapping[str, Any]) -> str:
    """Markdown: a row for each transport, then one for each of its tools."""
    facts = results["facts"]
    lines = [
        "# Tool servers under load",
        "",
        f"Command: `{facts['command']}`. Commit {facts['commit']}; {facts['platform']}, "
        f"{facts['cpus']} CPU cores, Python {facts['python']}.",
        f"{facts['num_clients']} clients for {facts['seconds']:g} s, each asking again as soon as "
        "it is answered. Server and clients share the machine; latencies are the clients'.",
        "",
        "| transport | tool | calls | errors | calls/s | p50 ms | p99 ms | max ms |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for transport, row in results["transports"].items():
        head = f"| **{transport}** | all | {row['calls']:,} | {row['errors']:,} "
        lines.append(f"{head}| {row['calls_per_s']:,.0f} | {_cells(row)} |")
        for tool, cells in row["tools"].items():
            lines.append(f"| | {tool} | {cells['n']:,} | | | {_cells(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, float]) -> str:
    return " | ".join(f"{row[name]:,.1f}" for name in ("p50_ms", "p99_ms", "max_ms"))
