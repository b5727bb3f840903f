"""A page of documentation as a Jupyter notebook, so that whoever reads it can run it.

    python -m medr_jax.testing.notebook docs/your_data.md

writes docs/your_data.ipynb. Python blocks become code cells, blocks of other kinds that ``FILES``
names become cells that write the file, everything else stays text.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FILES = {"tsv": "graph.tsv", "json": "corpus.jsonl"}
"""Kind of block -> the file that the page means by it."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$\n?", re.M | re.S)


def from_markdown(page: str) -> dict:
    """The notebook (nbformat 4.5) of a page, without outputs."""
    cells = [
        {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for number, (kind, source) in enumerate(_cells(page))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write(page: Path) -> Path:
    """Writes the notebook beside the page."""
    notebook = page.with_suffix(".ipynb")
    made = from_markdown(page.read_text(encoding="utf-8"))
    notebook.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return notebook


def _cells(page: str) -> Iterator[tuple[str, str]]:
    """(kind of cell, source), in order."""
    text, end = "", 0
    for block in _BLOCK.finditer(page):
        language, source = block[1], block[2]
        text += page[end : block.start()]
        end = block.end()
        if language == "python":
            code = source
        elif language in FILES:
            opening = f'with open("{FILES[language]}", "w", encoding="utf-8") as file:'
            code = f'{opening}\n    file.write("""{_escaped(source)}""")'
        else:
            text += block[0]
            continue
        if text.strip():
            yield "markdown", text.strip()
        text = ""
        yield "code", code.strip()
    if (text + page[end:]).strip():
        yield "markdown", (text + page[end:]).strip()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace('"""', '\\"\\"\\"')


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
