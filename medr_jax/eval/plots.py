"""Figures of the grid, as PNG files; what was not run is left out of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medr_jax.eval.arms import ArmRecord
from medr_jax.eval.config import AGENTS, MODEL
from medr_jax.eval.grid_tables import CHECK, MAIN, by_arm
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import LABELS

_DPI = 110
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


def _figure(title: str, width: float = 7.0):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    return figure, axis


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
    axis.legend(fontsize=7)
    return figure


def _curves(arms: Mapping[str, Sequence[ArmRecord]]):
    """Training loss of each arm's seeds, as a running mean."""
    figure, axis = _figure(f"Loss on what the model must produce ({CHECK})")
    drawn: list[str] = []
    for number, records in enumerate(arms.values()):
        for record in records:
            if len(record.curve) < 2:
                continue
            label = record.label if record.label not in drawn else None
            drawn.append(record.label)
            steps, losses = zip(*_smooth(record.curve), strict=True)
            axis.plot(steps, losses, color=f"C{number}", lw=1.1, label=label)
    if not drawn:
        return None
    axis.set_xlabel("optimizer step")
    axis.set_ylabel("nats a token")
    axis.set_yscale("log")
    axis.legend(fontsize=7)
    return figure


def _cost(arms: Mapping[str, Sequence[ArmRecord]]):
    """What a question costs (words read and written, tool calls) beside what it brings."""
    figure, axis = _figure(f"Words that an agent reads and writes a question ({CHECK})")
    points: dict[str, tuple[float, float]] = {}
    for record in arms.get(MAIN, ())[:1]:
        for agent, summary in record.summaries.items():
            _add(points, LABELS.get(agent, agent), summary.groups["all"])
    for arm, records in arms.items():
        if arm != MAIN and MODEL in records[0].summaries:
            _add(points, records[0].label, records[0].summaries[MODEL].groups["all"])
    if not points:
        return None
    for number, (label, (words, right)) in enumerate(points.items()):
        marker = "osD^v<>pP*X"[number % 11]
        axis.plot([words], [right], marker, ms=7, color=f"C{number % 10}", label=label)
    axis.set_xlabel("words a question")
    axis.set_ylabel("exact match")
    axis.set_ylim(-0.03, 1.05)
    axis.legend(fontsize=6)
    return figure


def _add(points: dict[str, tuple[float, float]], label: str, cells: Mapping[str, Cell]) -> None:
    values = [cells[name].value for name in ("words_written", "words_read", "exact_match")]
    if None not in values:
        points[label] = (values[0] + values[1], values[2])


def _calibration(report: Mapping[str, Any]):
    """Calibration error of the diagnosis methods, as ``bench_diagnose`` measured it."""
    rows = [
        (f"{task['task']}: {one['method']}", one["calibration_error"])
        for task in report.get("tasks", ())
        for one in task.get("methods", ())
        if (one.get("calibration_error") or {}).get("value") is not None
    ]
    if not rows:
        return None
    figure, axis = _figure("Calibration error of diagnose and of similarity (bench_diagnose)")
    values, errors = _with_errors([Cell(**cell) for _, cell in rows])
    axis.barh(range(len(rows)), values, xerr=errors, color="C0", alpha=0.7, capsize=2)
    axis.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=7)
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
