"""The learning curve on disk: one JSON line a logged step, and its picture."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"
TRAIN, DEV = "train", "dev"


class MetricsFile:
    """Appends lines ``{"kind": "train" | "dev", "step": ..., name: number, ...}``."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = Path(path)
        self._writes = writes  # False in all processes but the first

    def truncate_after(self, step: int) -> None:
        """Forgets lines after ``step`` and a line cut short by a kill: they will come again."""
        if not self._writes or not self.path.exists():
            return
        kept = [line for line in read_metrics(self.path) if line["step"] <= step]
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.write_text("".join(_line(record) for record in kept), encoding="utf-8")
        partial.replace(self.path)

    def append(self, kind: str, step: int, values: dict[str, float]) -> None:
        """Adds one line and hands it to the operating system, so that a kill cannot take it."""
        if not self._writes:
            return
        with self.path.open("a", encoding="utf-8") as out:
            out.write(_line({"kind": kind, "step": step, **values}))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file, without a last one that was cut short.

    Raises:
        ValueError: no such file, or a line that is not JSON; names file:line.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; has the training started?")
    records = []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error}") from error
    return records


def _line(record: dict[str, Any]) -> str:
    # Full precision: equal floats give equal text, so curves can be compared exactly.
    return json.dumps(record, allow_nan=True) + "\n"


PANELS = (
    ("loss", "loss (nats per token)"),
    ("token_accuracy", "token accuracy"),
    ("learning_rate", "learning rate"),
    ("grad_norm", "gradient norm"),
)
"""Metric prefix -> axis label. A panel shows every metric that starts with its prefix."""


def plot_curves(records: Sequence[dict[str, Any]], path: Path, title: str = "") -> None:
    """Draws the panels that have data; the suffix of ``path`` (.png, .svg) is the format."""
    from matplotlib.figure import Figure

    series = _series(records)
    panels = [(prefix, label) for prefix, label in PANELS if any(_in(prefix, k) for k in series)]
    figure = Figure(figsize=(9, 2.7 * max(len(panels), 1)), layout="constrained")
    axes = figure.subplots(max(len(panels), 1), sharex=True, squeeze=False)[:, 0]
    for axis, (prefix, label) in zip(axes, panels, strict=False):
        for (kind, name), points in series.items():
            if not _in(prefix, (kind, name)):
                continue
            style = {"marker": "o", "markersize": 4} if kind == DEV else {"linewidth": 1.0}
            steps, values = zip(*points, strict=True)
            axis.plot(steps, values, label=f"{kind} {name}", **style)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[-1].set_xlabel("optimizer step")
    if title:
        figure.suptitle(title)
    figure.savefig(path, dpi=130)


def _in(prefix: str, key: tuple[str, str]) -> bool:
    return key[1] == prefix or key[1].startswith(f"{prefix}/")


def _series(records: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[int, float]]]:
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for record in records:
        for name, value in record.items():
            if name in ("kind", "step") or not math.isfinite(value):
                continue
            series.setdefault((record["kind"], name), []).append((record["step"], value))
    return series
