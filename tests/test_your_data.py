"""The page about a user's own data, run as it stands: as a page and as a notebook."""

import json
import re
from pathlib import Path

import pytest

from medr_jax.graph.build import GraphConfig, SourceConfig
from medr_jax.launch.validation import corpus_problems
from medr_jax.testing import notebook

PAGE = Path(__file__).resolve().parents[1] / "docs" / "your_data.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the page's two files."""
    (tmp_path / "graph.tsv").write_text(blocks("tsv")[0], encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text(blocks("json")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_runs_from_a_table_to_an_evaluation(folder):
    assert len(blocks("tsv")[0].splitlines()) == 21  # a header and 20 facts
    state = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), state)
    questions = state["questions"]
    assert len(questions) >= 6 and {one.num_hops for one in questions} >= {1, 2}
    assert all(one.split == "test" and one.snapshot == "graph" for one in questions)
    best = state["engine"].search("silver streaks")[0].title
    assert best in ("On Birch disease", "Silver streaks")
    assert state["summaries"]["heuristic"].groups["all"]["exact_match"].value > 0.3
    assert (folder / "results" / "top_hit" / "summary.json").is_file()


def test_the_notebook_is_the_page_and_runs_in_an_empty_folder(tmp_path, monkeypatch, capsys):
    made = json.loads(PAGE.with_suffix(".ipynb").read_text("utf-8"))
    again = "python -m medr_jax.testing.notebook docs/your_data.md"
    assert made == notebook.from_markdown(PAGE.read_text("utf-8")), f"run {again}"
    monkeypatch.chdir(tmp_path)
    state = {}
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], cell["id"], "exec"), state)
    assert (tmp_path / "graph.tsv").read_text("utf-8") == blocks("tsv")[0]
    assert (tmp_path / "corpus.jsonl").read_text("utf-8") == blocks("json")[0]
    assert "heuristic Cell(value=" in capsys.readouterr().out


def test_its_files_have_no_problem_and_a_broken_one_is_named(folder):
    config = GraphConfig(sources=[SourceConfig(format="triples", path="graph.tsv")])
    assert config.sources[0].resolved().is_file()
    assert not list(corpus_problems(Path("corpus.jsonl")))
    with open("corpus.jsonl", "a", encoding="utf-8") as lines:
        lines.write('{"doc_id": "note-1", "kind": "x", "title": "again"}\n{"doc_id": 3}\n\n{')
    problems = list(corpus_problems(Path("corpus.jsonl")))
    assert [problem.line for problem in problems] == [3, 4, 6]
    assert "stands in line 1 too" in problems[0].message
