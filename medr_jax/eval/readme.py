"""The table on the front page, made from records: between two marks of a Markdown file."""

from collections.abc import Sequence
from pathlib import Path

from medr_jax.eval.arms import ArmRecord
from medr_jax.eval.config import AGENTS, EMPTIED, MODEL
from medr_jax.eval.grid_tables import MAIN, by_arm, over_runs
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import LABELS, NOT_RUN, NOTHING, interval_text, number

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
_SHOWN = {
    "exact match": ("all", "exact_match"),
    "evidence-supported": ("all", "supported_match"),
    "names never seen in training": ("unseen", "exact_match"),
}


def front_table(records: Sequence[ArmRecord]) -> str:
    """The main arm's agents in three columns, the trained model's row in bold.

    Raises:
        ValueError: the main arm was not run.
    """
    main = [one for one in by_arm(records).get(MAIN, ()) if one.summaries]
    if not main:
        raise ValueError("no record of the main arm: run experiments.grid first")
    lines = [f"| | {' | '.join(_SHOWN)} |", "|---|---:|---:|---:|"]
    for agent in (name for name in AGENTS if name in main[0].summaries):
        used = main if agent in (MODEL, EMPTIED) else main[:1]
        cells = [_text(over_runs(used, agent, *where)) for where in _SHOWN.values()]
        shown = [LABELS[agent], *cells]
        lines.append("| " + " | ".join(_bold(shown) if agent == MODEL else shown) + " |")
    return "\n".join([*lines, "", _origin(main)])


def rewrite(path: Path, records: Sequence[ArmRecord]) -> None:
    """Puts the table between the marks of ``path``.

    Raises:
        ValueError: the file lacks the marks, or nothing was run.
    """
    table = front_table(records)
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: has no {BEGIN} and {END}; put them around the table")
    path.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def _origin(main: Sequence[ArmRecord]) -> str:
    seeds = ", ".join(str(one.seed) for one in main)
    n = main[0].summaries[MODEL].num_questions if MODEL in main[0].summaries else 0
    several = "mean and range of the model's seeds" if len(main) > 1 else "one seed"
    commit = main[0].commit
    shown = commit[:7] + ("+changes" if commit.endswith("+changes") else "") or "unknown"
    return (
        f"{n} questions; {several} ({seeds}), else 95% intervals; commit `{shown}`, "
        f"{main[0].machine}; `{main[0].command}`"
    )


def _text(cell: Cell | None) -> str:
    if cell is None or cell.value is None:
        return NOT_RUN if cell is None else NOTHING
    interval = interval_text(cell)
    return f"{number(cell.value)} [{interval}]" if interval else number(cell.value)


def _bold(texts: Sequence[str]) -> list[str]:
    return [f"**{text}**" for text in texts]
