"""Several runs side by side: what was set differently, and where the losses ended."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from medr_jax.training.metrics import DEV, METRICS, TRAIN, read_metrics

RUN = "run.json"
LINKS = "artifacts.json"
LAST_STEPS = 20
"""Training losses are means over this many last logged steps."""


class RunSummary(NamedTuple):
    """One run: its overrides and its last metrics (empty when it has none)."""

    name: str
    overrides: dict[str, str]
    metrics: dict[str, float]
    records: list[dict[str, Any]]


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Run directories among ``paths`` and below them (a sweep holds one a job), sorted.

    Raises:
        ValueError: a path holds no run.
    """
    found: list[Path] = []
    for path in paths:
        runs = sorted({file.parent for file in Path(path).rglob(RUN)})
        if not runs:
            raise ValueError(f"{path}: no {RUN} in or below it; give run directories")
        found += [run for run in runs if run not in found]
    return found


def summarize_run(run: Path, stage: str = "sft") -> RunSummary:
    """Reads a run's overrides, and metrics from the artifact of ``stage`` that it links."""
    facts = json.loads((run / RUN).read_text(encoding="utf-8"))
    overrides = dict(
        override.split("=", 1) for override in facts.get("overrides", ()) if "=" in override
    )
    links = run / LINKS
    linked = json.loads(links.read_text(encoding="utf-8")) if links.exists() else {}
    records = []
    if stage in linked and (Path(linked[stage]["path"]) / METRICS).exists():
        records = read_metrics(Path(linked[stage]["path"]) / METRICS)
    return RunSummary(_short_name(run), overrides, _last_metrics(records), records)


def _short_name(run: Path) -> str:
    return "/".join(run.resolve().parts[-2:])


def _last_metrics(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    trained = [record for record in records if record["kind"] == TRAIN]
    held_out = [record for record in records if record["kind"] == DEV]
    if not trained:
        return {}
    metrics = {
        "steps": trained[-1]["step"],
        "loss": statistics.fmean(_model_loss(record) for record in trained[-LAST_STEPS:]),
        "tokens/s": statistics.median(record["tokens_per_s"] for record in trained),
    }
    if held_out:
        metrics["dev loss"] = _model_loss(held_out[-1])
    return metrics


def _model_loss(record: dict[str, Any]) -> float:
    return record.get("loss/model", record["loss"])


def comparison_table(runs: Sequence[RunSummary]) -> str:
    """A Markdown table: a row a run, only the overrides that are not the same in all."""
    keys = sorted({key for run in runs for key in run.overrides})
    keys = [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]
    numbers = ("steps", "loss", "dev loss", "tokens/s")
    rows = [["run", *keys, *numbers]]
    for run in runs:
        settings = [run.overrides.get(key, "(default)") for key in keys]
        rows.append([run.name, *settings, *(_cell(run.metrics.get(name)) for name in numbers)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |"
             for r in rows]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "not run"
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.4f}"


def plot_comparison(runs: Sequence[RunSummary], path: Path) -> None:
    """Draws the training losses of all runs, and the held-out ones as points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axis = figure.subplots()
    for number, run in enumerate(runs):
        for kind, style in ((TRAIN, "-"), (DEV, "o")):
            points = [(r["step"], _model_loss(r)) for r in run.records if r["kind"] == kind]
            if points:
                label = f"{run.name} {kind}"
                axis.plot(*zip(*points, strict=True), style, color=f"C{number}", label=label)
    axis.set_xlabel("optimizer step")
    axis.set_ylabel("loss (nats per token)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=130)
