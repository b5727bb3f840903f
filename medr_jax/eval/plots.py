"""Figures of the grid, as PNG files; what was not run is left out of them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medr_jax.eval.arms import ArmRecord
from medr_jax.eval.config import AGENTS, MODEL
from medr_jax.eval.grid_tables import CHECK, MAIN, by_arm
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import LABELS

_DPI = 110
_WIDTH, _HEIGHT, _LEGEND_ROW = 7.5, 4.2, 0.17  # inches
_MARKERS = "osD^v<>pP*X"
_WINDOW = 25  # logged steps of the running mean


def draw(records: Sequence[ArmRecord], folder: Path, diagnosis: Path | None = None) -> list[Path]:
    """Draws what the records allow into ``folder``; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    arms = by_arm([record for record in records if record.summaries])
    made = []
    for name, plot in (("hops", _hops), ("learning_curves", _curves), ("cost", _cost)):
        if arms and (figure := plot(arms)) is not None:
            made.append(_save(figure, folder / f"{name}.png"))
    if diagnosis is not None and diagnosis.is_file():
        figure = _calibration(json.loads(diagnosis.read_text(encoding="utf-8")))
        if figure is not None:
            made.append(_save(figure, folder / "calibration.png"))
    return made


def _figure(title: str):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axis = figure.subplots()
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    return figure, axis


def _legend(figure) -> None:
    """Below the axes, where it hides no point, in two columns if their labels leave the room."""
    (axis,) = figure.axes
    entries = len(axis.get_legend_handles_labels()[1])
    for columns in (2, 1):
        figure.set_figheight(_HEIGHT + _LEGEND_ROW * math.ceil(entries / columns))
        legend = figure.legend(loc="outside lower center", fontsize=7, ncols=columns, frameon=False)
        figure.draw_without_rendering()
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def _save(figure, path: Path) -> Path:
    figure.savefig(path, dpi=_DPI)
    return path


def _hops(arms: Mapping[str, Sequence[ArmRecord]]):
    """Exact match by hops: the agents of the main arm, with 95% intervals of its first seed."""
    if not arms.get(MAIN):
        return None
    summaries = arms[MAIN][0].summaries
    figure, axis = _figure(f"Exact match by hops, seed {arms[MAIN][0].seed} ({CHECK})")
    for number, agent in enumerate(name for name in AGENTS if name in summaries):
        groups = summaries[agent].groups
        hops = sorted(int(g.removeprefix("hops=")) for g in groups if g.startswith("hops="))
        cells = [groups[f"hops={hop}"]["exact_match"] for hop in hops]
        places = [hop + 0.03 * (number - 2) for hop in hops]
        values, errors = _with_errors(cells)
        strong = agent == MODEL
        axis.errorbar(
            places, values, errors, label=LABELS[agent], marker="o", ms=4, capsize=2,
            lw=2.2 if strong else 1.0, color="C3" if strong else f"C{(0, 1, 2, 4, 5, 7)[number]}",
        )  # fmt: skip
        axis.set_xticks(hops)
    axis.set_xlabel("hops")
    axis.set_ylabel("exact match, 95% interval")
    axis.set_ylim(-0.03, 1.05)
    _legend(figure)
    return figure


def _curves(arms: Mapping[str, Sequence[ArmRecord]]):
    """Training loss of each arm's seeds, as a running mean; a training that arms share once."""
    figure, axis = _figure(f"Loss on what the model must produce ({CHECK})")
    labels: set[str] = set()
    trained: set[str] = set()
    shown: list[float] = []
    for number, records in enumerate(arms.values()):
        for record in records:
            training = record.run_id.partition("/")[2]
            if len(record.curve) < 2 or (training and training in trained):
                continue
            label = record.label if record.label not in labels else None
            labels.add(record.label)
            trained.add(training)
            steps, losses = zip(*_smooth(record.curve), strict=True)
            shown += losses
            axis.plot(steps, losses, color=f"C{number}", lw=1.1, label=label)
    if not shown:
        return None
    axis.set_xlabel("optimizer step")
    axis.set_ylabel("nats a token")
    _log_scale(axis, shown)
    _legend(figure)
    return figure


def _log_scale(axis, values: Sequence[float]) -> None:
    """A logarithmic y axis with plain numbers, some of them within any range of ``values``."""
    from matplotlib.ticker import LogLocator

    axis.set_yscale("log")
    wide = max(values) > 10 * min(values)
    axis.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if wide else range(2, 10)))
    for set_formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        set_formatter("{x:g}")


def _cost(arms: Mapping[str, Sequence[ArmRecord]]):
    """What a question costs (words read and written) beside what it brings."""
    import matplotlib

    figure, axis = _figure(f"Words read and written a question, first seed ({CHECK})")
    points: dict[str, Mapping[str, Cell]] = {}
    for record in arms.get(MAIN, ())[:1]:
        for agent in (name for name in AGENTS if name in record.summaries):
            points[LABELS[agent]] = record.summaries[agent].groups["all"]
    for arm, records in arms.items():
        if arm != MAIN and MODEL in records[0].summaries:
            points[records[0].label] = records[0].summaries[MODEL].groups["all"]
    colours = matplotlib.colormaps["tab20"].colors
    for number, (label, cells) in enumerate(points.items()):
        written, read, right = (
            cells[name] for name in ("words_written", "words_read", "exact_match")
        )
        if None in (written.value, read.value, right.value):
            continue
        values, errors = _with_errors([right])
        strong = label == LABELS[MODEL]
        axis.errorbar(
            [written.value + read.value],
            values,
            errors,
            label=label,
            fmt=_MARKERS[number % len(_MARKERS)],
            color=colours[(2 * number + number // 10) % len(colours)],
            ms=9 if strong else 6,
            elinewidth=0.8,
            capsize=2,
            alpha=0.9,
        )
    if not axis.containers:
        return None
    axis.set_xlabel("words a question")
    axis.set_ylabel("exact match, 95% interval")
    axis.set_ylim(-0.03, 1.05)
    _legend(figure)
    return figure


def _calibration(report: Mapping[str, Any]):
    """Calibration error of the diagnosis methods, as ``bench_diagnose`` measured it."""
    rows = [
        (task["task"].replace("_", " "), one["method"], one["calibration_error"])
        for task in report.get("tasks", ())
        for one in task.get("methods", ())
        if (one.get("calibration_error") or {}).get("value") is not None
    ]
    if not rows:
        return None
    figure, axis = _figure("Calibration error of diagnose and of similarity (bench_diagnose)")
    values, errors = _with_errors([Cell(**cell) for *_, cell in rows])
    methods = list(dict.fromkeys(method for _, method, _ in rows))
    colours = [f"C{methods.index(method)}" for _, method, _ in rows]
    axis.barh(range(len(rows)), values, xerr=errors, color=colours, alpha=0.7, capsize=2)
    labels = [f"{task}: {method}" for task, method, _ in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel("expected calibration error, 95% interval (0 = calibrated)")
    return figure


def _with_errors(cells: Sequence[Cell]) -> tuple[list[float], list[list[float]]]:
    values = [float("nan") if cell.value is None else cell.value for cell in cells]
    low = [v - (v if c.low is None else c.low) for v, c in zip(values, cells, strict=True)]
    high = [(v if c.high is None else c.high) - v for v, c in zip(values, cells, strict=True)]
    return values, [[max(0.0, x) for x in low], [max(0.0, x) for x in high]]


def _smooth(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    window = max(1, min(_WINDOW, len(curve) // 4))
    return [
        (curve[end - 1][0], sum(loss for _, loss in curve[end - window : end]) / window)
        for end in range(window, len(curve) + 1)
    ]
