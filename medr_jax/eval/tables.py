"""One table structure, and the tables of an evaluation; ``formats`` writes them to files."""

from collections.abc import Mapping, Sequence

import rich.console
import rich.table
from rich.text import Text

from medr_jax.eval import statistics
from medr_jax.eval.errors import RULES, Failure
from medr_jax.eval.metrics import METRICS, Summary
from medr_jax.eval.statistics import Cell
from medr_jax.types import Record

NOT_RUN = "not run"
NOTHING = "–"  # run, but there was nothing to count
_FILE_WIDTH = 160
COUNTS = frozenset({"num_calls", "words_written", "words_read"})
"""Metrics that are counts; all others are shares."""

LABELS = {
    "majority": "majority answer per relation",
    "top_hit": "top hit for the question",
    "heuristic": "rule-based agent (knows the wording, not the chain)",
    "oracle": "scripted expert: oracle (given the chain)",
    "model": "trained model",
    "model_emptied": "same model, search results emptied",
}
"""Agent -> the row's name; an agent that is not listed goes by its own."""


class Row(Record):
    """One agent or group. A cell of None was not run."""

    label: str
    cells: tuple[Cell | None, ...]


class Table(Record):
    """Numbers with their intervals, and what a reader must know beside them."""

    title: str
    columns: tuple[str, ...]  # without the label column
    rows: tuple[Row, ...]
    counts: tuple[bool, ...] = ()  # per column: a count, not a share
    notes: tuple[str, ...] = ()

    def text(self, row: Row, column: int) -> str:
        """A cell as text: value, interval and n."""
        return cell_text(row.cells[column], count=self.is_count(column))

    def is_count(self, column: int) -> bool:
        """Whether the column holds counts rather than shares."""
        return bool(self.counts) and self.counts[column]


def number(value: float, *, count: bool = False) -> str:
    """A share with three digits, a count with two."""
    return f"{value:.2f}" if count else f"{value:.3f}"


def interval_text(cell: Cell, *, count: bool = False) -> str:
    """The interval alone, "" when there is none."""
    if cell.low is None or cell.high is None:
        return ""
    joint = ", " if cell.low < 0 else "–"  # a minus after a dash would be hard to read
    return f"{number(cell.low, count=count)}{joint}{number(cell.high, count=count)}"


def cell_text(cell: Cell | None, *, count: bool = False) -> str:
    """ "0.880 [0.839–0.911] n=320", "not run", or a dash when there was nothing to count."""
    if cell is None:
        return NOT_RUN
    if cell.value is None:
        return NOTHING
    interval = interval_text(cell, count=count)
    bounds = f" [{interval}]" if interval else ""
    n = f" n={cell.n}" if cell.n else ""  # a number from elsewhere comes without one
    return f"{number(cell.value, count=count)}{bounds}{n}"


def standard(
    summaries: Mapping[str, Summary],
    agents: Sequence[str],
    *,
    main_agent: str = "model",
    by_seed: Sequence[Summary] = (),
) -> list[Table]:
    """All tables of an evaluation, in order; the last ones are about ``main_agent``.

    ``agents`` is the wanted order of rows; an agent without a summary is a row of "not run".
    ``by_seed``: the main agent after training with different seeds.
    """
    found = [main_table(summaries, agents), hops_table(summaries, agents)]
    if len(by_seed) > 1:
        found.append(seeds_table(by_seed))
    if summary := summaries.get(main_agent):
        name = LABELS.get(main_agent, main_agent).capitalize()
        found.append(group_table(summary, "specialty", f"{name} by specialty"))
        found.append(group_table(summary, "answer", f"{name} by kind of answer"))
        found.append(group_table(summary, "tool", f"{name} by tool called"))
        found.append(group_table(summary, "form", f"{name} by form of question"))
        found.append(failures_table(summary, "hops", f"Wrong answers: {name.lower()}, by hops"))
        found.append(failures_table(summary, "specialty", "The same by specialty"))
    return found


def show(shown: Sequence[Table]) -> None:
    """Prints tables to standard output; wide where that is a file."""
    out = rich.console.Console(highlight=False)
    if not out.is_terminal:
        out = rich.console.Console(highlight=False, width=_FILE_WIDTH)
    for table in shown:
        out.print(to_rich(table))
        for note in table.notes:
            out.print(Text(note, style="dim"))
        out.print()


def main_table(summaries: Mapping[str, Summary], agents: Sequence[str]) -> Table:
    """Every agent over all questions and the subsets that matter."""
    columns = [
        ("exact match", "all", "exact_match"),
        ("evidence-supported", "all", "supported_match"),
        ("open-class answers", "open", "exact_match"),
        ("unseen names", "unseen", "exact_match"),
        ("valid tool calls", "all", "call_validity"),
        ("queries that hit the next entity", "all", "next_entity"),
        ("tool calls used", "all", "num_calls"),
    ]
    failed = sum(summary.num_infra_failed for summary in summaries.values())
    return Table(
        title="Held-out questions",
        columns=tuple(title for title, _, _ in columns),
        rows=tuple(
            _row(LABELS.get(agent, agent), summaries.get(agent), columns) for agent in agents
        ),
        counts=tuple(metric in COUNTS for _, _, metric in columns),
        notes=(
            "Beside each number its 95% interval (Wilson for shares of questions, bootstrap over "
            "questions otherwise) and n, the questions it rests on.",
            "Open-class: the answer is a disease, a phenotype or a gene. Unseen names: the "
            "diseases, genes and answer of the question occur nowhere in the training text, "
            "distractor hits included. A query that looks up a clue hits no entity of the chain.",
            f"{failed} rollouts failed on our side; they are in no denominator."
            if failed
            else "No rollout failed on our side.",
        ),
    )


def hops_table(
    summaries: Mapping[str, Summary], agents: Sequence[str], metric: str = "exact_match"
) -> Table:
    """One metric by number of hops."""
    hops = sorted(
        {
            int(group.removeprefix("hops="))
            for summary in summaries.values()
            for group in summary.groups
            if group.startswith("hops=")
        }
    )
    columns = [(_plural(hop), f"hops={hop}", metric) for hop in hops]
    columns.append(("all", "all", metric))
    return Table(
        title=f"{METRICS[metric].capitalize()} by number of hops",
        columns=tuple(title for title, _, _ in columns),
        rows=tuple(
            _row(LABELS.get(agent, agent), summaries.get(agent), columns) for agent in agents
        ),
        counts=tuple(metric in COUNTS for _ in columns),
    )


def group_table(summary: Summary, prefix: str, title: str) -> Table:
    """All metrics of one agent over the groups "<prefix>=..."."""
    groups = _groups(summary, prefix)
    shown = ("exact_match", "supported_match", "next_entity", "num_calls")
    shown += ("words_written", "words_read")
    return Table(
        title=title,
        columns=tuple(METRICS[metric] for metric in shown),
        rows=tuple(
            Row(
                label=group.removeprefix(f"{prefix}=").replace("_", " "),
                cells=tuple(summary.groups[group][metric] for metric in shown),
            )
            for group in groups
        ),
        counts=tuple(metric in COUNTS for metric in shown),
        notes=_SPECIALTIES if prefix == "specialty" else (),
    )


_SPECIALTIES = ("A disease may belong to several specialties: the n add up to more.",)


def _groups(summary: Summary, prefix: str) -> list[str]:
    """The groups "<prefix>=...": numbered ones by number, others the largest first."""

    def order(group: str) -> tuple[int, str]:
        name = group.removeprefix(f"{prefix}=")
        return (int(name) if name.isdigit() else -summary.groups[group]["exact_match"].n, group)

    return sorted((group for group in summary.groups if group.startswith(f"{prefix}=")), key=order)


def failures_table(summary: Summary, prefix: str, title: str) -> Table:
    """Classes of wrong answers as shares of all questions of a group: all, then "<prefix>=..."."""
    groups = ["all", *_groups(summary, prefix)]
    rows = []
    for group in groups:
        size = summary.groups[group]["exact_match"].n
        counts = summary.failures.get(group, {})
        cells = tuple(statistics.wilson(counts.get(one.value, 0), size) for one in Failure)
        rows.append(Row(label=_group_title(group), cells=cells))
    return Table(
        title=title,
        columns=tuple(failure.value for failure in Failure),
        rows=tuple(rows),
        notes=(
            *(_SPECIALTIES if prefix == "specialty" else ()),
            *("Shares of all questions of the group, right ones included.", RULES),
        ),
    )


def seeds_table(by_seed: Sequence[Summary]) -> Table:
    """Mean and range over training seeds of one agent."""
    columns = [
        ("exact match", "all", "exact_match"),
        ("evidence-supported", "all", "supported_match"),
        ("open-class answers", "open", "exact_match"),
        ("unseen names", "unseen", "exact_match"),
        ("valid tool calls", "all", "call_validity"),
    ]
    rows = [_row(f"seed {summary.seed}", summary, columns) for summary in by_seed]
    merged = []
    for _, group, metric in columns:
        cells = [summary.groups.get(group, {}).get(metric) for summary in by_seed]
        values = [cell.value for cell in cells if cell and cell.value is not None]
        merged.append(statistics.over_seeds(values))
    rows.append(Row(label="mean and range over seeds", cells=tuple(merged)))
    return Table(
        title="Training seeds",
        columns=tuple(title for title, _, _ in columns),
        rows=tuple(rows),
        notes=(
            "The last row gives the range over seeds instead of an interval; its n counts seeds.",
        ),
    )


def _row(label: str, summary: Summary | None, columns: Sequence[tuple[str, str, str]]) -> Row:
    if summary is None:
        return Row(label=label, cells=(None,) * len(columns))
    return Row(
        label=label,
        cells=tuple(
            summary.groups.get(group, {}).get(metric, statistics.EMPTY)
            for _, group, metric in columns
        ),
    )


def _group_title(group: str) -> str:
    name = group.partition("=")[2] or group
    return _plural(int(name)) if group.startswith("hops=") else name.replace("_", " ")


def _plural(hop: int) -> str:
    return "1 hop" if hop == 1 else f"{hop} hops"


def to_rich(table: Table) -> rich.table.Table:
    """For ``rich.print``: the interval and n under each value, so that it fits a terminal."""
    shown = rich.table.Table(title=table.title, title_justify="left", show_lines=False)
    shown.add_column("", overflow="fold")
    for column in table.columns:
        shown.add_column(column, justify="right", overflow="fold")
    for row in table.rows:
        cells = []
        for column, cell in enumerate(row.cells):
            value, _, rest = cell_text(cell, count=table.is_count(column)).partition(" [")
            interval, _, n = rest.partition("] ")
            cells.append(Text(f"{value}\n{interval}\n{n}" if rest else value))
        shown.add_row(Text(row.label), *cells)
    return shown
