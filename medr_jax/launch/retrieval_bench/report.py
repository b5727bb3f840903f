"""The measurements as a table and as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medr_jax.launch.retrieval_bench.quality import METRICS

JSON, TABLE = "retrieval.json", "retrieval.md"


def write(results: Mapping[str, Any], folder: Path) -> Path:
    """Both files; gives the path of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / TABLE).write_text(table(results), encoding="utf-8")
    return folder / TABLE


def table(results: Mapping[str, Any]) -> str:
    """Markdown: quality by task, then speed by size."""
    facts = results["facts"]
    lines = [
        "# Retrieval beside bm25s and Lucene",
        "",
        f"Command: `{facts['command']}`; commit {facts['commit']}. {facts['machine']}; "
        f"{facts['versions']}.",
        "bm25s and Lucene have the same text and our analysis, stemming included; k1 1.2, b 0.75.",
        "Differences are to bm25s over the same queries, paired bootstrap 95%.",
        "",
        "## Quality",
    ]
    for task, systems in results["quality"].items():
        lines += ["", f"### {task}", ""]
        lines += [f"| System | {' | '.join(METRICS)} |", "|---" * (len(METRICS) + 1) + "|"]
        for name, metrics in systems.items():
            cells = [_cell(metrics[metric]) for metric in METRICS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "## Speed",
        "",
        "One process, top 10, twelve words, a kind filter. On one thread ours and Lucene take one",
        "query after the other; bm25s, and all with threads named, have all queries in one call.",
        "Ratios (range over the rounds) are to bm25s on one thread. p50 and p99: one query a call.",
    ]
    header = ("System", "queries/s", "ratio", "queries/CPU-s", "CPU ratio", "p50 ms", "p99 ms")
    for size, systems in results["speed"].items():
        lines += ["", f"### {int(size):,} generated documents", ""]
        lines += [f"| {' | '.join(header)} | build docs/s |", "|---" * (len(header) + 1) + "|"]
        for name, row in systems.items():
            lines.append(
                f"| {name} | {row['queries_per_s']:,.0f} | {_ratio(row, 'ratio')} | "
                f"{row['queries_per_cpu_s']:,.0f} | {_ratio(row, 'cpu_ratio')} | "
                f"{row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {row['docs_per_s']:,.0f} |"
            )
    return "\n".join(lines) + "\n"


def _ratio(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_range"]
    return f"{row[name]:.2f} ({low:.2f}-{high:.2f})"


def _cell(cell: Mapping[str, Any]) -> str:
    shown = f"{cell['mean']:.3f}"
    if "difference" not in cell:
        return shown
    return f"{shown} ({cell['difference']:+.3f} [{cell['low']:+.3f}, {cell['high']:+.3f}])"
