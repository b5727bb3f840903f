"""The report of a run: report.html for people, results.json and results.md for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medr_jax import jsonl
from medr_jax.artifacts import Manifest
from medr_jax.eval import examples, formats, tables
from medr_jax.eval.evaluate import AGENTS
from medr_jax.eval.metrics import Result, Summary
from medr_jax.eval.question_graph import question_figure
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import Table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.pages import charts, render
from medr_jax.pages.views import CellView, Headline, ReportView, RowView, TableView

HTML, JSON, MARKDOWN = "report.html", "results.json", "results.md"
_SMOOTHING = 25  # logged steps, odd

CAVEATS = (
    "Questions, documents and answers come from one curated graph.",
    "The numbers measure how well an agent finds its way through this closed corpus. They do "
    "not measure medical knowledge and say nothing about clinical benefit.",
    "“Only” and “unique” mean so in the dated snapshot: what it does not state is unknown, not "
    "false. Questions whose evidence the search could not bring to the scripted expert were "
    "left out when the questions were made, so the expert's row is high by construction.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Logged values of one run against the step; several names share one chart."""

    caption: str
    y_label: str
    values: Mapping[str, Sequence[tuple[float, float]]]  # name -> (step, value)
    y_axis: charts.YAxis = charts.YAxis.zero
    smooth: bool = False  # long series as a mean over neighbours, raw values faint behind


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a report is made of. ``results`` are the main agent's, for the rollouts shown."""

    title: str
    lead: str
    summaries: Mapping[str, Summary]
    agents: Sequence[str] = AGENTS  # rows in order; one without a summary is "not run"
    results: Sequence[Result] = ()
    main_agent: str = "model"
    seeds: Sequence[Summary] = ()  # of the main agent; shown when there are two or more
    curves: Sequence[Curve] = ()
    facts: Mapping[str, Mapping[str, object]] | None = None  # heading -> name -> value
    num_rollouts: int = 5


def write_report(folder: Path, report: Report, *, graph: KnowledgeGraph | None = None) -> Path:
    """Writes the three files into ``folder`` and returns the path of the page.

    ``graph`` draws the chain of one question; without it that section is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shown = tables.standard(
        report.summaries, report.agents, main_agent=report.main_agent, by_seed=report.seeds
    )
    facts = {
        heading: {name: _fact(value) for name, value in pairs.items()}
        for heading, pairs in (report.facts or {}).items()
    }
    machine = {
        "title": report.title,
        "caveats": CAVEATS,
        "tables": shown,
        "summaries": dict(report.summaries),
        "seeds": list(report.seeds),
        "facts": facts,
    }
    jsonl.write(folder / JSON, [machine])
    _write(folder / MARKDOWN, _markdown(report, shown, facts))
    page = render.render("report.html.j2", report=_view(report, shown, facts, graph))
    _write(folder / HTML, page)
    return folder / HTML


def stage_facts(
    manifests: Sequence[Manifest],
    environment: Mapping[str, object],
    graph: KnowledgeGraph,
    seeds: Mapping[str, int],
) -> dict[str, dict[str, object]]:
    """The facts of a run: code, machine, stages with seconds and counts, data, versions."""
    plain = {name: value for name, value in environment.items() if name != "packages"}
    packages = environment.get("packages")
    counts: dict[str, object] = {}
    for manifest in manifests:
        for name, value in manifest.counts.items():
            if isinstance(value, int | float | str):
                counts[f"{manifest.stage}: {name}"] = value
    return {
        "Code, machine, seeds": {**plain, **{f"seed of {name}": s for name, s in seeds.items()}},
        "Seconds when built": {
            **{manifest.stage: manifest.seconds for manifest in manifests},
            "all": round(sum(manifest.seconds for manifest in manifests), 1),
        },
        "Data": {"snapshot": graph.snapshot, "licences": "; ".join(graph.licences)},
        "Counts": counts,
        "Content hashes": {manifest.stage: manifest.content_hash[:16] for manifest in manifests},
        "Versions": dict(packages) if isinstance(packages, Mapping) else {},
    }


def _view(
    report: Report,
    shown: Sequence[Table],
    facts: Mapping[str, Mapping[str, str]],
    graph: KnowledgeGraph | None,
) -> ReportView:
    chosen = examples.choose(report.results, report.num_rollouts)
    right = [result for result in chosen if result.correct] or chosen
    drawn = right[0].question if right else None
    label = tables.LABELS.get(report.main_agent, report.main_agent)
    drawings = [(curve.caption, _chart(curve)) for curve in report.curves]
    return ReportView(
        title=report.title,
        lead=report.lead,
        caveats=CAVEATS,
        headlines=_headlines(report),
        tables=[table_view(table, f"table-{i}", label) for i, table in enumerate(shown)],
        curves=[(caption, chart) for caption, chart in drawings if chart is not None],
        figure=question_figure(drawn, graph) if drawn and graph is not None else None,
        figure_question=drawn.text if drawn else "",
        figure_answer=drawn.answer if drawn else "",
        rollouts=[examples.rollout_view(result) for result in chosen],
        rollouts_lead=examples.RULE,
        facts=facts,
    )


def table_view(table: Table, anchor: str, strong: str = "") -> TableView:
    """A table as the page shows it; the row labelled ``strong`` stands out."""
    return TableView(
        anchor=anchor,
        title=table.title,
        columns=table.columns,
        rows=[
            RowView(
                label=row.label,
                cells=[
                    cell_view(cell, count=table.is_count(column))
                    for column, cell in enumerate(row.cells)
                ],
                strong=row.label == strong,
            )
            for row in table.rows
        ],
        notes=table.notes,
    )


def cell_view(cell: Cell | None, *, count: bool = False) -> CellView:
    """A cell's texts, and for a share the bar's percentages."""
    if cell is None:
        return CellView(value=tables.NOT_RUN)
    if cell.value is None:
        return CellView(value=tables.NOTHING)
    has_bar = not count and cell.low is not None and cell.high is not None
    return CellView(
        value=tables.number(cell.value, count=count),
        interval=tables.interval_text(cell, count=count),
        n=f"{cell.n:,}",
        low=round(100 * cell.low, 2) if has_bar else None,
        at=round(100 * cell.value, 2) if has_bar else None,
        high=round(100 * cell.high, 2) if has_bar else None,
    )


def _headlines(report: Report) -> list[Headline]:
    wanted = [
        (report.main_agent, "all", "exact_match", "exact match on held-out questions"),
        (report.main_agent, "all", "supported_match", "right, with a cited document stating it"),
        (report.main_agent, "unseen", "exact_match", "on names never seen in training"),
        (f"{report.main_agent}_emptied", "open", "exact_match", "with search results emptied"),
    ]
    found = []
    for agent, group, metric, label in wanted:
        summary = report.summaries.get(agent)
        cell = summary.groups.get(group, {}).get(metric) if summary else None
        if cell is None or cell.value is None:
            continue
        kind = " open-class" if group == "open" else ""
        detail = f"95% interval {tables.interval_text(cell)}, {cell.n:,}{kind} questions"
        found.append(Headline(value=tables.number(cell.value), label=label, detail=detail))
    return found


def _chart(curve: Curve) -> charts.Chart | None:
    series = [
        charts.Series(
            name=name,
            points=points,
            smooth=_SMOOTHING if curve.smooth and len(points) > _SMOOTHING else 0,
        )
        for name, points in curve.values.items()
    ]
    return charts.line_chart(series, x_label="step", y_label=curve.y_label, y_axis=curve.y_axis)


def _markdown(
    report: Report, shown: Sequence[Table], facts: Mapping[str, Mapping[str, str]]
) -> str:
    parts = [f"# {report.title}\n", f"{report.lead}\n", "\n\n".join(CAVEATS) + "\n"]
    parts += [formats.to_markdown(table) for table in shown]
    for heading, pairs in facts.items():
        lines = [f"- {name}: {value}" for name, value in pairs.items()]
        parts.append(f"### {heading}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _fact(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) or "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8", errors="replace")
    partial.replace(path)
