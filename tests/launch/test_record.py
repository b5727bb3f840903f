import json
import os
import subprocess
import sys
from pathlib import Path

from medr_jax import artifacts
from medr_jax.launch import record

ROOT = Path(__file__).resolve().parents[2]


def test_run_record_names_code_packages_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-value")
    overrides = ["training.num_steps=3"]
    record.write_run_record(tmp_path / "run", module="experiments.sft", overrides=overrides)
    text = (tmp_path / "run" / record.RUN).read_text()
    facts = json.loads(text)
    assert facts["overrides"] == ["training.num_steps=3"]
    assert facts["command"] == "python -m experiments.sft training.num_steps=3"
    assert facts["packages"]["numpy"] and facts["python"]
    assert "sk-secret-value" not in text


def test_artifacts_are_linked_by_stage(tmp_path):
    def build(path):
        (path / "x").write_text("x")
        return artifacts.Outcome(content_hash="abc", counts={})

    made = artifacts.get_or_build(tmp_path, "graph", config={}, inputs={}, version="1", build=build)
    record.link_artifact(tmp_path, made)
    record.link_artifact(None, made)
    links = json.loads((tmp_path / record.LINKS).read_text())
    assert links["graph"]["content_hash"] == "abc"
    assert Path(links["graph"]["path"]) == made.path


def test_a_shown_command_names_no_place_of_this_machine(monkeypatch):
    words = [
        "paths.artifacts=/a",
        "bench.out=/b",
        "bench.sets=[/c/d,e/f.json]",
        "k=1",
        "checkpoint=/g",
    ]
    monkeypatch.setattr("sys.argv", ["x", *words])
    shown = record.command("bench")
    assert shown == "python -m experiments.bench bench.sets=[d,f.json] k=1 checkpoint=..."


def command(tmp_path, *arguments, **environment):
    return subprocess.run(
        [
            sys.executable, "-m", *arguments,
            f"paths.artifacts={tmp_path}/artifacts", f"paths.runs={tmp_path}/runs",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def test_a_users_mistake_is_one_line_and_exit_code_2(tmp_path):
    wrong = command(tmp_path, "experiments.build_graph", "graph.sources=[{path: /no/such/folder}]")
    assert wrong.returncode == 2
    assert "graph.sources[0].path='/no/such/folder' is neither a file nor a folder" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_typo_is_named_and_nothing_is_written(tmp_path):
    wrong = command(tmp_path, "experiments.build_graph", "graph.sourse=hpo")
    assert wrong.returncode != 0
    assert "sourse" in wrong.stderr and "Traceback" not in wrong.stderr
    assert not (tmp_path / "artifacts").exists()


def test_a_missing_config_folder_is_named(tmp_path):
    wrong = command(tmp_path, "experiments.build_graph", MEDR_CONFIG_DIR=str(tmp_path / "none"))
    assert wrong.returncode != 0
    assert "MEDR_CONFIG_DIR" in wrong.stderr and "Traceback" not in wrong.stderr
