"""What the paper reports (arXiv 2508.14880), as tables with a column for a run of ours.

Its numbers are shown as its own. Only benchmark results that ``evaluate_benchmark`` wrote come
into our column, under the agent's name; the tiny model's never do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import Row, Table

PAPER, OURS = "the paper's", "ours"
_NOTE = (
    "The paper's columns are copied from it and were not measured here. Ours: a result file of "
    "evaluate_benchmark on the benchmark's own file, else not run."
)
_MAIN = {
    "MedResearcher-R1-32B": 27.5,
    "o3-deepresearch": 25.5,
    "gemini-2.5-pro-deepresearch": 25.0,
    "o3-search": 19.0,
    "gemini-2.5-pro-search": 14.0,
}
_GENERAL = {"MedResearcher-R1-32B": (53.4, 54.0), "WebSailor-32B": (53.2, 53.3)}
_ABLATION = {"all of it": 27.5, "SFT only (no RL)": 25.5, "without rare seeds": 20.1}

SCALE = {"medbrowsecomp_50": 50, "gaia": 100, "xbench": 100}
"""Benchmark -> what full marks are in the paper's tables: right answers of 50, or per cent."""


class BenchmarkRun(msgspec.Struct):
    """The fields of a benchmark's summary that a table needs."""

    agent: str
    benchmark: str
    accuracy: dict[str, Cell]
    num_questions: int
    subset: str = ""


def load_runs(folders: Sequence[Path]) -> list[BenchmarkRun]:
    """The summaries under result folders of evaluate_benchmark.

    Raises:
        ValueError: a folder has none, or one is damaged; names the file.
    """
    found = []
    for folder in folders:
        paths = sorted(folder.rglob("summary.json"))
        if not paths:
            raise ValueError(f"{folder}: no summary.json here; give a folder of evaluate_benchmark")
        for path in paths:
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=BenchmarkRun))
            except msgspec.DecodeError as problem:
                raise ValueError(f"{path}: not a benchmark's summary: {problem}") from None
    return found


def paper_tables(runs: Sequence[BenchmarkRun] = ()) -> list[Table]:
    """Its three tables: MedBrowseComp, general benchmarks, ablation."""
    return [
        _with_ours(
            "MedBrowseComp: right answers of 50",
            {name: (value,) for name, value in _MAIN.items()},
            ("medbrowsecomp_50",),
            runs,
            "Always giving the most frequent gold answer is right 10 times of 50, computed from "
            "the benchmark's file. Wilson's 95% interval of 27.5 of 50 is 20.7 to 34.0: it holds "
            "both deep-research systems.",
        ),
        _with_ours(
            "General deep research, accuracy in %",
            _GENERAL,
            ("gaia", "xbench"),
            runs,
            "GAIA's subset is the paper's choice and is not published with it.",
        ),
        _with_ours(
            "The paper's ablation, MedBrowseComp: right answers of 50",
            {name: (value,) for name, value in _ABLATION.items()},
            ("medbrowsecomp_50",),
            (),
            "Our ablations are on our own questions with a tiny model: they check that the "
            "mechanisms work and stand in a table of their own.",
        ),
    ]


def _with_ours(
    title: str,
    reported: Mapping[str, Sequence[float]],
    benchmarks: Sequence[str],
    runs: Sequence[BenchmarkRun],
    note: str,
) -> Table:
    columns = tuple(f"{name}, {whose}" for name in benchmarks for whose in (PAPER, OURS))
    rows = [
        Row(label=name, cells=tuple(c for v in values for c in (Cell(value=v), None)))
        for name, values in reported.items()
    ]
    agents = sorted({run.agent for run in runs if run.benchmark.startswith(tuple(benchmarks))})
    for agent in agents:
        cells: list[Cell | None] = []
        for name in benchmarks:
            cells += [None, _ours(runs, agent, name)]
        rows.append(Row(label=f"{agent} (ours)", cells=tuple(cells)))
    return Table(
        title=title,
        columns=columns,
        rows=tuple(rows),
        counts=(True,) * len(columns),
        notes=(_NOTE, note),
    )


def _ours(runs: Sequence[BenchmarkRun], agent: str, benchmark: str) -> Cell | None:
    for run in runs:
        if run.agent == agent and run.benchmark.startswith(benchmark):
            cell = run.accuracy.get("all")
            return _scaled(cell, SCALE[benchmark]) if cell and cell.value is not None else None
    return None


def _scaled(cell: Cell, scale: float) -> Cell:
    scaled = {
        name: None if getattr(cell, name) is None else scale * getattr(cell, name)
        for name in ("value", "low", "high")
    }
    return msgspec.structs.replace(cell, **scaled)
