"""From records to files: tables as Markdown, LaTeX and CSV, wrong answers, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medr_jax.eval import arms as kept
from medr_jax.eval import plots
from medr_jax.eval.arms import ArmRecord, Example
from medr_jax.eval.errors import RULES
from medr_jax.eval.formats import to_csv, to_latex, to_markdown
from medr_jax.eval.grid_tables import CHECK, MAIN, grid_tables
from medr_jax.eval.paper import load_runs, paper_tables
from medr_jax.eval.tables import Table

MARKDOWN, LATEX, CSV, ERRORS = "tables.md", "tables.tex", "tables.csv", "errors.md"
FIGURES = "figures"

_LEAD = (
    "Ours: questions from one curated graph, asked of a model of about a million parameters that "
    "was trained from scratch. Its rows check that the mechanisms work. They are not the paper's "
    "result, say nothing of medical knowledge, and stand in no column of the paper's."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Result files of other commands; what is not given is "not run"."""

    study: Path | None = None  # study.json of rl_study
    diagnosis: Path | None = None  # diagnose.json of bench_diagnose
    benchmarks: Sequence[Path] = ()  # folders of evaluate_benchmark


def render(out: Path, inputs: Inputs) -> Path:
    """Writes all files from the records under ``out``; returns the Markdown's path.

    Raises:
        ValueError: a file of ``inputs`` is not what it should be.
    """
    records, retrieval = kept.load(out), kept.load_retrieval(out)
    paper = paper_tables(load_runs(inputs.benchmarks))
    ours = grid_tables(records, retrieval, kept.load_study(inputs.study))
    out.mkdir(parents=True, exist_ok=True)
    figures = plots.draw(records, out / FIGURES, inputs.diagnosis)
    _write(out / MARKDOWN, _markdown(paper, ours, records, figures))
    _write(out / LATEX, "\n".join(map(to_latex, [*paper, *ours])))
    _write(out / CSV, to_csv([*paper, *ours]))
    _write(out / ERRORS, error_examples(records))
    return out / MARKDOWN


def error_examples(records: Sequence[ArmRecord]) -> str:
    """Wrong answers of the main arm's first seed, some of each class, as Markdown."""
    lines = ["# Wrong answers, by class", "", RULES, ""]
    main = [one for one in records if one.arm == MAIN and one.summaries]
    if not main:
        return "\n".join([*lines, "Not run."]) + "\n"
    lines += [f"The trained model ({CHECK}), seed {main[0].seed}, run {main[0].run_id}.", ""]
    lines.append(examples_text(main[0].examples))
    return "\n".join(lines)


def examples_text(examples: Sequence[Example]) -> str:
    """Wrong answers one after the other, as Markdown."""
    lines = []
    for example in examples:
        searched = " → ".join(f"`{query.replace('`', ' ')}`" for query in example.queries)
        hops = "1 hop" if example.num_hops == 1 else f"{example.num_hops} hops"
        lines += [
            f"**{example.failure}**, {hops}: {example.question}",
            "",
            f"- searched: {searched or 'nothing'}",
            f"- answered: {example.given or 'nothing'}",
            f"- right: {example.gold}",
            "",
        ]
    return "\n".join(lines)


def _markdown(
    paper: Sequence[Table],
    ours: Sequence[Table],
    records: Sequence[ArmRecord],
    figures: Sequence[Path],
) -> str:
    parts = ["# Tables\n", "## The paper's tables\n", *map(to_markdown, paper)]
    parts += ["## Ours\n", f"{_LEAD}\n", *map(to_markdown, ours), "## Figures\n"]
    parts += [f"![{path.stem}]({FIGURES}/{path.name})\n" for path in figures]
    parts += ["## Where the numbers come from\n", *_origins(records)]
    return "\n".join(parts).rstrip() + "\n"


def _origins(records: Sequence[ArmRecord]) -> list[str]:
    lines = [
        f"- {one.arm}, seed {one.seed}: run {one.run_id}, commit {one.commit or 'unknown'}, "
        f"{one.machine}; optimizer steps: {one.train_steps:,}, tokens: {one.train_tokens:,.0f}, "
        f"{one.train_seconds:,.0f} s of training; `{one.command}`"
        for one in records
        if one.summaries
    ]
    return lines or ["Nothing was run."]


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
