import csv
import io

import pytest

from experiments import tables as command
from medr_jax import jsonl
from medr_jax.eval import arms, formats, metrics
from medr_jax.eval.arms import ArmRecord
from medr_jax.eval.render import Inputs, render
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import Row, Table


def record(world, arm, seed, right):
    """An arm that answers as many of four questions rightly as ``right`` says."""
    results = []
    for number in range(4):
        rollout = world.trajectory(
            world.search("tall stature", "D1"),
            world.search("FBN1", "G1"),
            world.answer("Stiff skin syndrome" if number < right else "Marfan syndrome", "G1"),
            question=world.question(f"q{number}"),
        )
        results.append(
            metrics.grade("model", rollout, names=world.names, document_text=world.document_text)
        )
    return ArmRecord(
        arm=arm,
        label=f"arm {arm}",
        seed=seed,
        run_id=f"run{seed}",
        command="python -m experiments.grid",
        commit="abc",
        machine="Linux x86_64, 2 CPUs",
        summaries={"model": metrics.summarize("model", results, seed=seed)},
        marks={one.question.question_id: one.correct for one in results},
        curve=((1, 2.0), (2, 1.0), (3, 0.5)),
        examples=arms.examples(results),
    )


@pytest.fixture
def out(world, tmp_path):
    for one in (record(world, "main", 0, 3), record(world, "main", 1, 1)):
        arms.save(tmp_path, one)
    for one in (record(world, "common_seeds", 0, 2), record(world, "common_seeds", 5, 4)):
        arms.save(tmp_path, one)  # the main arm has no seed 5
    arms.save(tmp_path, ArmRecord(arm="max_chain", label="arm max", seed=0, reason="no memory"))
    return tmp_path


def rows(path):
    return list(csv.DictReader(io.StringIO((path / "tables.csv").read_text(encoding="utf-8"))))


def cell(path, table, row, column):
    (found,) = [
        one
        for one in rows(path)
        if one["table"].startswith(table) and one["row"].startswith(row) and one["column"] == column
    ]
    return found


def test_ours_stands_with_interval_seeds_and_run(out):
    render(out, Inputs())
    main = cell(out, "Ablations", "arm main", "exact match")
    assert (main["value"], main["low"], main["high"], main["n"]) == ("0.5", "0.25", "0.75", "2")
    assert "seeds 0, 1; run run0, run1" in main["row"]
    minus = cell(out, "Ablations", "arm common_seeds", "exact match minus main")
    assert minus["value"] == "-0.25"  # against main's seed 0 alone
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert "arm max, seed 0: not run, no memory" in text
    assert cell(out, "Ablations", "arm max", "exact match")["text"] == "not run"


def test_the_tiny_model_is_in_no_column_of_the_papers(out):
    render(out, Inputs())
    for one in rows(out):
        if "MedBrowseComp" in one["table"] or "General" in one["table"]:
            assert "tiny" not in one["row"]
            assert one["column"].endswith("the paper's") or one["text"] == "not run"


def test_a_benchmark_run_comes_into_our_column(out, tmp_path):
    folder = tmp_path / "bench" / "x"
    folder.mkdir(parents=True)
    summary = {
        "agent": "qwen", "benchmark": "medbrowsecomp_50", "num_questions": 50,
        "accuracy": {"all": {"value": 0.3, "low": 0.2, "high": 0.4, "n": 50, "method": "w"}},
    }  # fmt: skip
    jsonl.write(folder / "summary.json", [summary])
    render(out, Inputs(benchmarks=[tmp_path / "bench"]))
    found = cell(out, "MedBrowseComp", "qwen (ours)", "medbrowsecomp_50, ours")
    assert float(found["value"]) == pytest.approx(15)  # of 50, as the paper counts
    assert float(found["high"]) == pytest.approx(20)


def test_figures_examples_and_latex_are_written(out):
    render(out, Inputs())
    for name in ("hops", "learning_curves", "cost"):
        assert (out / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert "**wrong hop**, 3 hops" in (out / "errors.md").read_text(encoding="utf-8")
    latex = (out / "tables.tex").read_text(encoding="utf-8")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") > 5
    assert r"hpo\_multihop" in latex


def test_without_any_record_everything_is_not_run(tmp_path):
    render(tmp_path, Inputs())
    assert cell(tmp_path, "hpo_multihop", "trained model", "exact match")["text"] == "not run"


def test_a_damaged_record_is_a_reason_and_not_a_crash(out):
    (out / "arms" / "max_chain-seed0.json").write_text("{", encoding="utf-8")
    render(out, Inputs())
    assert "unreadable record" in (out / "tables.md").read_text(encoding="utf-8")


def test_the_rl_study_is_read(out, tmp_path, capsys):
    one = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "method": "bootstrap"}
    study = {
        "arms": [{"arm": "rl", "label": "RL", "seeds": [0, 1], "cells": {"greedy": one}}],
        "differences": [{"arm": "rl", "other": "sft", "seeds": [], "cells": {}}],
    }
    jsonl.write(tmp_path / "study.json", [study])
    assert command.main([str(out), "--study", str(tmp_path / "study.json")]) == 0
    assert cell(out, "Reinforcement", "RL (seeds 0, 1)", "greedy")["value"] == "0.5"
    assert cell(out, "The same, difference", "RL minus sft", "greedy")["text"] == "not run"
    jsonl.write(tmp_path / "study.json", [{"wrong": 1}])
    assert command.main([str(out), "--study", str(tmp_path / "study.json")]) == 2
    assert "rl_study" in capsys.readouterr().err


def test_the_front_page_gets_its_table(out, tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    assert command.main([str(out), "--readme", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "**0.500 [0.250–0.750]**" in text and "of the model's seeds (0, 1)" in text
    page.write_text("no marks")
    assert command.main([str(out), "--readme", str(page)]) == 2
    assert "results: begin" in capsys.readouterr().err


def test_latex_and_csv_of_awkward_text():
    cells = (Cell(value=0.5, low=0.1, high=0.9, n=4, method="w"), None)
    table = Table(
        title="50% & more", columns=("a_b", "c"), rows=(Row(label='x, "y"', cells=cells),)
    )
    latex = formats.to_latex(table)
    assert r"\caption{50\% \& more}" in latex and r"a\_b" in latex and "0.100--0.900" in latex
    (first, second) = list(csv.DictReader(io.StringIO(formats.to_csv([table]))))
    assert (first["row"], first["value"], second["text"]) == ('x, "y"', "0.5", "not run")
