"""The benchmark's results as Markdown and JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from medr_jax.eval import formats
from medr_jax.eval.diagnosis.config import TITLES, Task
from medr_jax.eval.diagnosis.run import MethodResult, TaskResult
from medr_jax.eval.statistics import EMPTY
from medr_jax.eval.tables import Row, Table

MARKDOWN, JSON = "diagnose.md", "diagnose.json"

LABELS = {
    "likelihood": "likelihood ratios (ours)",
    "resnik": "Resnik, best match average",
    "lin": "Lin, best match average",
}
COLUMNS = (
    *("top 1", "top 10", "ours minus this, top 10", "Brier", "calibration error"),
    *("`none`, disease hidden", "`none`, disease known"),
)
NOTES = (
    "Beside each number its 95% interval and n, the test patients it rests on: Wilson for top 1 "
    "and top 10, paired bootstrap for the difference, bootstrap over patients otherwise.",
    "Half of the diseases, by a hash of the id, are for fitting: each method's temperature and "
    "score of `none of these` there, nothing on the other half, which is what is shown.",
    "Brier is summed over all answers, 0 to 2. Calibration error: ten equal-mass bins of the top "
    "answer's share. For these two, and for the share of `none of these`, some patients' diseases "
    "were taken out of the knowledge base, in both halves.",
)


def write(folder: Path, results: Sequence[TaskResult], facts: Mapping[str, Any]) -> None:
    """Writes both files into ``folder``."""
    found = {"facts": dict(facts), "tasks": msgspec.to_builtins(list(results))}
    text = json.dumps(found, indent=1, default=lambda value: value.value)
    (folder / JSON).write_text(text + "\n", encoding="utf-8")
    parts = [
        "# Diagnosis benchmark",
        f"`{facts['command']}`",
        f"{facts['snapshot']}; commit {facts['commit'][:12]}; Python {facts['python']}.",
        *(formats.to_markdown(table(result)) for result in results),
        "\n\n".join(NOTES),
    ]
    (folder / MARKDOWN).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def table(result: TaskResult) -> Table:
    """One task: a row for each method."""
    left_out = (
        f" {result.num_left_out} papers are left out: they are all the corpus has of their disease."
        if result.num_left_out
        else ""
    )
    return Table(
        title=TITLES[Task(result.task)],
        columns=COLUMNS,
        rows=tuple(_row(method) for method in result.methods),
        notes=(
            f"{result.num_diseases:,} diseases, {result.num_patients:,} patients of which "
            f"{result.num_test:,} are of the test half, {result.mean_findings:.1f} findings on "
            f"average.{left_out}",
        ),
    )


def _row(method: MethodResult) -> Row:
    return Row(
        label=LABELS[method.method],
        cells=(
            method.top_1,
            method.top_10,
            method.top_10_lead or EMPTY,
            method.brier,
            method.calibration_error,
            method.none_when_hidden,
            method.none_when_known,
        ),
    )
