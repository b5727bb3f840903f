"""Several runs side by side: what was set differently, and where the losses ended."""

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scipy import stats

from medr_jax.training.metrics import DEV, METRICS, TRAIN, read_metrics

RUN = "run.json"
LINKS = "artifacts.json"
LAST_STEPS = 20
"""Training losses are means over this many last logged steps."""

SEED = "seed"
CONFIDENCE = 0.95


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


NUMBERS = ("steps", "loss", "dev loss", "tokens/s")


def comparison_table(runs: Sequence[RunSummary]) -> str:
    """A Markdown table: a row a run, only the overrides that are not the same in all."""
    keys = _differing(runs)
    rows = [["run", *keys, *NUMBERS]]
    for run in runs:
        rows.append(
            [run.name, *_settings(run, keys), *(_cell(run.metrics.get(n)) for n in NUMBERS)]
        )
    return _markdown(rows)


def seeds_table(runs: Sequence[RunSummary]) -> str:
    """A Markdown table: a row for runs that differ in their seed only; "" when none do.

    Losses are means with Student's t interval at 95%: mean ± t(n-1) s / √n, s with n-1.
    """
    groups = by_seed(runs)
    if all(len(group) < 2 for group in groups):
        return ""
    keys = [key for key in _differing(runs) if not _is_seed(key)]
    rows = [[*keys, "seeds", *(f"{name} [95%]" for name in ("loss", "dev loss"))]]
    for group in groups:
        finished = [run for run in group if run.metrics]
        cells = [
            _interval([r.metrics[name] for r in finished if name in r.metrics])
            for name in ("loss", "dev loss")
        ]
        rows.append([*_settings(group[0], keys), str(len(finished)), *cells])
    return _markdown(rows)


def by_seed(runs: Sequence[RunSummary]) -> list[list[RunSummary]]:
    """Runs whose overrides are the same but for seeds, in groups, in the order given."""
    groups: dict[tuple[tuple[str, str], ...], list[RunSummary]] = {}
    for run in runs:
        same = tuple(sorted(item for item in run.overrides.items() if not _is_seed(item[0])))
        groups.setdefault(same, []).append(run)
    return list(groups.values())


def _is_seed(key: str) -> bool:
    return key.rsplit(".", 1)[-1] == SEED


def _differing(runs: Sequence[RunSummary]) -> list[str]:
    keys = sorted({key for run in runs for key in run.overrides})
    return [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]


def _settings(run: RunSummary, keys: Sequence[str]) -> list[str]:
    return [run.overrides.get(key, "(default)") for key in keys]


def _half_width(values: Sequence[float]) -> float:
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * spread


def _interval(values: Sequence[float]) -> str:
    if not values:
        return "not run"
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.4f}"
    half = _half_width(values)
    return f"{mean:.4f} [{mean - half:.4f}–{mean + half:.4f}]"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
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
    """Draws training losses, and held-out ones as points.

    Runs that differ in their seed only are one line, their mean, in a band from the lowest to
    the highest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axis = figure.subplots()
    keys = [key for key in _differing(runs) if not _is_seed(key)]
    for number, group in enumerate(by_seed(runs)):
        name = group[0].name
        if len(group) > 1:
            settings = zip(keys, _settings(group[0], keys), strict=True)
            name = " ".join([*(f"{k}={v}" for k, v in settings), f"({len(group)} seeds)"])
        for kind, style in ((TRAIN, "-"), (DEV, "o")):
            steps, mean, low, high = _band(group, kind)
            if not steps:
                continue
            colour = f"C{number}"
            axis.plot(steps, mean, style, color=colour, label=f"{name} {kind}")
            if len(group) > 1 and kind == TRAIN:
                axis.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            elif len(group) > 1:
                axis.vlines(steps, low, high, color=colour, alpha=0.6)
    axis.set_xlabel("optimizer step")
    axis.set_ylabel("loss (nats per token)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=130)


def _band(
    runs: Sequence[RunSummary], kind: str
) -> tuple[list[int], list[float], list[float], list[float]]:
    """Steps that every run with records has, with the mean, lowest and highest loss."""
    curves = [
        {r["step"]: _model_loss(r) for r in run.records if r["kind"] == kind}
        for run in runs
        if run.records
    ]
    steps = sorted(set.intersection(*map(set, curves))) if curves else []
    values = [[curve[step] for curve in curves] for step in steps]
    return steps, [statistics.fmean(v) for v in values], [*map(min, values)], [*map(max, values)]
