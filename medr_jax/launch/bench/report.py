"""Medians, ratios with their spread, and the files that hold them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from medr_jax.launch.bench.job import OURS, BenchConfig
from medr_jax.models.config import ModelConfig
from medr_jax.models.flops import FORMULA

JSON, TABLE = "bench.json", "bench.md"


def summarize(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Per contestant of one task: medians over windows, and ours / theirs per round.

    ``tokens_per_s`` by the wall clock; ``tokens_per_cpu_s`` by CPU seconds of all threads, which
    a busy machine disturbs less; ``ratio`` and ``cpu_ratio``: {"median", "low", "high"} of
    our speed over theirs, low and high being quartiles.
    """
    ours = results[OURS]
    rows = {}
    for name, result in results.items():
        done = result["tokens"] * result["runs"]
        rows[name] = {
            "tokens_per_s": median(done / window["wall_s"] for window in result["windows"]),
            "tokens_per_cpu_s": median(done / window["cpu_s"] for window in result["windows"]),
            "compile_s": result["compile_s"],
            "peak_memory_bytes": max(w["peak_memory_bytes"] for w in result["windows"]),
            "mfu": mfu(result, ours),
        }
        if name != OURS:
            rows[name]["ratio"] = spread(ratios(ours, result, "wall_s"))
            rows[name]["cpu_ratio"] = spread(ratios(ours, result, "cpu_s"))
    return rows


def mfu(result: Mapping[str, Any], ours: Mapping[str, Any]) -> float:
    """Median share of the peak; FLOPs and peak are the same for every contestant."""
    done = ours["flops_per_run"] * result["runs"]
    return median(done / (w["wall_s"] * peak_flops(ours)) for w in result["windows"])


def peak_flops(ours: Mapping[str, Any]) -> float:
    """FLOP/s of the device from the table, or the most that a matmul reached in any round."""
    return ours["peak_flops"] or max(window["peak_flops"] for window in ours["windows"])


def ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any], clock: str) -> list[float]:
    """Our speed over theirs in each round."""
    pairs = zip(ours["windows"], theirs["windows"], strict=True)
    scale = ours["tokens"] * ours["runs"] / (theirs["tokens"] * theirs["runs"])
    return [scale * theirs_w[clock] / ours_w[clock] for ours_w, theirs_w in pairs]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles; of one value, that value."""
    if len(values) == 1:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}


def write(
    out: Path,
    results: Mapping[str, Mapping[str, Any]],
    model: ModelConfig,
    bench: BenchConfig,
    facts: Mapping[str, Any],
) -> None:
    """``bench.json``: everything measured. ``bench.md``: what a person reads."""
    summary = {task: summarize(result) for task, result in results.items()}
    everything = {
        "facts": dict(facts),
        "formula": FORMULA,
        "model": dataclasses.asdict(model),
        "bench": {
            name: value
            for name, value in dataclasses.asdict(bench).items()
            if not name.endswith("_python")  # paths of this machine
        },
        "summary": summary,
        "results": results,
    }
    text = json.dumps(everything, indent=1, default=lambda value: value.value)
    (out / JSON).write_text(text + "\n", encoding="utf-8")
    parts = [_task_text(task, results[task], summary[task], bench) for task in results]
    header = f"`{facts['command']}`\n\n{_machine(facts, results)}\n\n{FORMULA}\n"
    (out / TABLE).write_text("\n".join([header, *parts]), encoding="utf-8")


def _task_text(
    task: str, results: Mapping[str, Any], rows: Mapping[str, Any], bench: BenchConfig
) -> str:
    ours = results[OURS]
    shape = f"{bench.rows} rows of {bench.length} tokens, all in the loss, AdamW"
    if task == "decode":
        shape = (
            f"{bench.decode_rows} prompts of {bench.prompt_length}, {bench.new_tokens} new, greedy"
        )
    lines = [
        f"## {task}: {ours['parameters']:,} parameters, {ours['dtype']}, {shape}",
        "",
        f"{bench.rounds} rounds of {ours['runs']} run(s); padding {ours['padding_share']:.1%}; "
        f"peak {peak_flops(ours) / 1e9:,.0f} GFLOP/s ({ours['peak_source']}). "
        f"{_same_answers(task, results)}",
        "",
        "| | tokens/s | tokens/CPU-s | MFU | peak memory | compile | ours is faster, wall "
        "| ours is faster, CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['tokens_per_s']:,.0f} | {row['tokens_per_cpu_s']:,.0f} "
            f"| {row['mfu']:.1%} | {row['peak_memory_bytes'] / 2**20:,.0f} MiB "
            f"| {row['compile_s']:.1f} s | {_ratio(row.get('ratio'))} "
            f"| {_ratio(row.get('cpu_ratio'))} |"
        )
    return "\n".join(lines) + "\n"


def _same_answers(task: str, results: Mapping[str, Any]) -> str:
    """How far the contestants computed the same: first losses, or the first prompt's tokens."""
    first = {name: result["first"] for name, result in results.items()}
    if task == "train":
        losses = ", ".join(f"{name} {loss:.5f}" for name, loss in first.items())
        return f"Loss before the first update: {losses}."
    same = {
        name: sum(a == b for a, b in zip(first[OURS], tokens, strict=True)) / len(tokens)
        for name, tokens in first.items()
        if name != OURS
    }
    return " ".join(f"{name} wrote {share:.0%} of our tokens." for name, share in same.items())


def _ratio(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio['median']:.2f}x ({ratio['low']:.2f} to {ratio['high']:.2f})"


def _machine(facts: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> str:
    versions: dict[str, str] = {}
    devices = set()
    for result in results.values():
        for name, contestant in result.items():
            devices.add(contestant["device"])
            versions[name] = ", ".join(f"{k} {v}" for k, v in contestant["versions"].items())
    listed = "; ".join(f"{name}: {text}" for name, text in versions.items())
    return (
        f"{facts['platform']}, {facts['cpus']} CPUs {facts['cpu']}; device "
        f"{', '.join(sorted(devices))}; commit {facts['commit']}; {listed}"
    )
