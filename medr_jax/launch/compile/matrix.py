"""The table of README: which slices train and sample a model at which length."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from medr_jax.launch.compile import report
from medr_jax.launch.compile.check import Answer, ask, make_request
from medr_jax.launch.compile.programs import ProgramName
from medr_jax.models.transformer import num_parameters


class Cell(NamedTuple):
    """What is compiled on one slice at one length."""

    topology: str
    length: int  # tokens of a row, and of a slot
    rows: int  # of an optimizer step; one or more for each group of chips that holds a row
    programs: tuple[ProgramName, ...] = (ProgramName.sft, ProgramName.decode)


CELLS = (
    Cell("v5p-64", 8_192, 32),
    Cell("v5p-64", 32_768, 8),
    Cell("v5p-128", 8_192, 64),
    Cell("v5p-128", 32_768, 16),
    Cell("v5e-256", 8_192, 64),
    Cell("v5e-256", 32_768, 32),
    Cell("v6e-64", 8_192, 16),
    Cell("v6e-64", 32_768, 8),
    Cell("v5e-64", 8_192, 64, (ProgramName.sft,)),  # must not fit
)


def run_matrix(config: SimpleNamespace, out: Path) -> list[Answer]:
    """Every cell, on each slice's own mesh; writes ``matrix.jsonl`` and ``matrix.md`` in ``out``.

    Both are written anew after each answer, so an interrupted table is there as far as it got.
    """
    out.mkdir(parents=True, exist_ok=True)
    requests = [
        make_request(_cell_config(config, cell), program)
        for cell in CELLS
        for program in cell.programs
    ]
    answers: list[Answer] = []
    for request in requests:
        answers.append(ask(request, config))
        report.write_answers(out / "matrix.jsonl", answers)
        page = f"{_heading(config, answers)}\n\n{report.markdown(answers)}"
        (out / "matrix.md").write_text(page, encoding="utf-8")
    return answers


def _heading(config: SimpleNamespace, answers: list[Answer]) -> str:
    """What the table is of, and what answered."""
    billions = num_parameters(config.model) / 1e9
    found = next((answer.result.versions for answer in answers if answer.result), {})
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    return (
        f"# {billions:.1f}B parameters on TPU slices, asked of their compiler\n\n"
        "    python -m experiments.compile_check matrix=results/compile_check\n\n"
        f"Compiled, not run: no TPU was used. GiB are per device; times and MFU are bounds by the "
        f"roofline. attention={config.model.attention.value}, remat={config.model.remat.value}, "
        f"optimizer={config.optimizer.name.value} in {config.model.param_dtype}, "
        f"compile.effort={config.compile.effort.value}; {versions}."
    )


def _cell_config(config: SimpleNamespace, cell: Cell) -> SimpleNamespace:
    replace = dataclasses.replace
    return SimpleNamespace(
        **vars(config)
        | {
            "compile": replace(config.compile, topology=cell.topology),
            "training": replace(config.training, batch_rows=cell.rows),
            "data": replace(config.data, row_length=cell.length),
            "sampling": replace(config.sampling, max_length=cell.length),
        }
    )
