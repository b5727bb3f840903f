"""The benchmark's files: everything measured as JSON, and a page for people."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medr_jax.launch.bench.report import spread
from medr_jax.launch.rollouts.config import Loop, RolloutBenchConfig

ENGINE, BY_TURNS, SHARING = "engine", Loop.by_turns.value, Loop.sharing.value
JSON, TABLE = "rollout.json", "rollout.md"

_WHAT = (
    "`engine`: continuous batching, tools beside decoding, history computed once, a group's "
    "prompt computed once. `by turns`: the same programs, but a batch takes its turns together, "
    "each turn computes the history of each rollout again, and tools are waited for; `sharing`: a "
    "history that several rollouts have at that moment is computed for one and copied. Occupancy: "
    "share of decoded rows that sampled a token. All sample the same rollouts."
)


def loops(result: Mapping[str, Any]) -> list[str]:
    """The batch loops that were measured."""
    return [name for name in result["windows"] if name != ENGINE]


def ratios(result: Mapping[str, Any], base: str = BY_TURNS) -> list[float]:
    """Tokens per second of the engine over a batch loop's, round by round."""
    pairs = zip(result["windows"][ENGINE], result["windows"][base], strict=True)
    return [tokens_per_s(one) / tokens_per_s(other) for one, other in pairs]


def tokens_per_s(window: Mapping[str, Any]) -> float:
    """Sampled tokens over wall time."""
    return window["tokens"] / window["wall_s"]


def write(
    out: Path,
    results: Mapping[str, Mapping[str, Any]],
    bench: RolloutBenchConfig,
    facts: Mapping[str, Any],
) -> None:
    """Both files, into ``out``."""
    everything = {
        "facts": dict(facts),
        "rollouts": dataclasses.asdict(bench),
        "ratios": {
            name: {base: ratios(result, base) for base in loops(result)}
            for name, result in results.items()
        },
        "results": results,
    }
    text = json.dumps(everything, indent=1, default=lambda value: value.value)
    (out / JSON).write_text(text + "\n", encoding="utf-8")
    parts = [_workload(name, result, bench) for name, result in results.items()]
    machine = f"{facts['platform']}, {facts['cpus']} CPUs {facts['cpu']}; commit {facts['commit']}"
    header = f"# The rollout engine beside a batch loop\n\n`{facts['command']}`\n\n{machine}"
    (out / TABLE).write_text("\n\n".join([header, _WHAT, *parts]) + "\n", encoding="utf-8")


def _ratio(result: Mapping[str, Any], base: str) -> str:
    ratio = spread(ratios(result, base))
    return f"{ratio['median']:.2f}x ({ratio['low']:.2f} to {ratio['high']:.2f}) of {base}"


def _workload(name: str, result: Mapping[str, Any], bench: RolloutBenchConfig) -> str:
    lines = [
        f"## {name}: {', '.join(_ratio(result, base) for base in loops(result))}",
        "",
        f"A model of {result['parameters']:,} parameters; {result['rollouts']} rollouts in groups "
        f"of {bench.group_size}, {bench.rounds} rounds; {result['same_rollouts']} are the same "
        "token for token.",
        "",
        "| | tokens/s | wall s | CPU s | occupancy | tokens prefilled | shared | padding "
        "| dispatches |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for contestant, windows in result["windows"].items():
        stats = windows[-1]["stats"]
        padding = 1 - stats["prefilled"] / max(stats["prefill_places"], 1)
        speed, wall, cpu = (
            spread([value(window) for window in windows])["median"]
            for value in (tokens_per_s, lambda w: w["wall_s"], lambda w: w["cpu_s"])
        )
        lines.append(
            f"| {contestant} | {speed:,.0f} | {wall:.1f} | {cpu:.1f} | {stats['occupancy']:.0%} "
            f"| {stats['prefilled']:,} | {stats['shared']:,} | {padding:.0%} "
            f"| {stats['dispatches']:,} |"
        )
    if hang := result.get("hang"):
        lines += ["", f"One call that hangs until its deadline of {bench.timeout_s:g} s:", ""]
        lines += ["| | wall s | with the hang | same rollouts |", "|---|---:|---:|---:|"]
        for contestant, row in hang.items():
            lines.append(
                f"| {contestant} | {row['wall_s']:.1f} | {row['hanging_wall_s']:.1f} "
                f"| {row['same_rollouts']} of {result['rollouts']} |"
            )
    return "\n".join(lines)
