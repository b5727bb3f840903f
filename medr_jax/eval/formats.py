"""Tables as text of other programs: Markdown, LaTeX, CSV."""

import csv
import io
from collections.abc import Sequence

from medr_jax.eval.tables import NOT_RUN, NOTHING, Table, number

_LATEX = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "λ": r"$\lambda$",
    "·": r"$\cdot$",
}


def to_markdown(table: Table) -> str:
    """A GitHub table with its title and notes."""
    lines = [f"### {table.title}", ""]
    lines.append(_markdown_line(["", *table.columns]))
    lines.append("|---|" + "---:|" * len(table.columns))
    for row in table.rows:
        cells = [table.text(row, column) for column in range(len(table.columns))]
        lines.append(_markdown_line([row.label, *cells]))
    lines += ["", *table.notes] if table.notes else []
    return "\n".join(lines) + "\n"


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def to_latex(table: Table) -> str:
    """A ``tabular`` in a ``table``; needs no package. Intervals stand behind the values."""
    columns = "l" + "r" * len(table.columns)
    lines = [r"\begin{table}", f"\\caption{{{latex_escape(table.title)}}}"]
    lines += [f"\\begin{{tabular}}{{{columns}}}", r"\hline"]
    lines.append(_latex_line(["", *table.columns]))
    lines.append(r"\hline")
    for row in table.rows:
        cells = [table.text(row, column) for column in range(len(table.columns))]
        lines.append(_latex_line([row.label, *cells]))
    lines += [r"\hline", r"\end{tabular}"]
    lines += [f"\\par {latex_escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(latex_escape, cells)) + r" \\"


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(char, char) for char in text)


CSV_COLUMNS = ("table", "row", "column", "value", "low", "high", "n", "interval", "text")


def to_csv(tables: Sequence[Table]) -> str:
    """A line for each cell; an empty value is "not run" or nothing to count, as ``text`` says."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        for row in table.rows:
            for place, column in enumerate(table.columns):
                cell = row.cells[place]
                where = [table.title, row.label, column]
                if cell is None or cell.value is None:
                    writer.writerow([*where, *[""] * 5, NOT_RUN if cell is None else NOTHING])
                    continue
                numbers = [cell.value, cell.low, cell.high, cell.n, cell.method]
                shown = number(cell.value, count=table.is_count(place))
                writer.writerow([*where, *numbers, shown])
    return out.getvalue()
