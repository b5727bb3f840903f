"""The table of runs: what differs, where losses ended."""

import json

import pytest

from experiments import compare as command
from medr_jax.training import compare
from medr_jax.training.metrics import DEV, TRAIN, MetricsFile


@pytest.fixture
def sweep(tmp_path):
    """Two finished runs that differ in one override, and one that did not get to training."""
    for name, rate, last in (("0", "1e-3", 2.0), ("1", "3e-3", 1.0), ("2", "1e-2", None)):
        run = tmp_path / "sweep" / name
        run.mkdir(parents=True)
        overrides = [f"optimizer.learning_rate={rate}", "training.num_steps=20"]
        (run / "run.json").write_text(json.dumps({"overrides": overrides}))
        if last is None:
            continue
        artifact = tmp_path / "artifacts" / name
        artifact.mkdir(parents=True)
        (run / "artifacts.json").write_text(json.dumps({"sft": {"path": str(artifact)}}))
        metrics = MetricsFile(artifact / "metrics.jsonl")
        for step, loss in enumerate([*[9.0] * 10, *[last - 0.5, last + 0.5] * 10], start=1):
            metrics.append(TRAIN, step, {"loss": 7.0, "loss/model": loss, "tokens_per_s": 1500.0})
        metrics.append(DEV, 30, {"loss": last + 1})
    return tmp_path / "sweep"


def test_table(sweep):
    runs = [compare.summarize_run(run) for run in compare.find_runs([sweep, sweep / "0"])]
    lines = compare.comparison_table(runs).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    # num_steps is the same in all runs: no column. Losses: means of the last 20, not the last.
    assert cells[0] == ["run", "optimizer.learning_rate", "steps", "loss", "dev loss", "tokens/s"]
    assert cells[2:] == [
        ["sweep/0", "1e-3", "30", "2", "3", "1,500"],
        ["sweep/1", "3e-3", "30", "1", "2", "1,500"],
        ["sweep/2", "1e-2", "not run", "not run", "not run", "not run"],
    ]


def test_command(sweep, tmp_path, capsys):
    assert command.main([str(sweep), "--plot", str(tmp_path / "losses.svg")]) == 0
    assert "sweep/1" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "losses.svg").read_text()
    assert command.main([str(tmp_path / "artifacts")]) == 2
    assert "give run directories" in " ".join(capsys.readouterr().err.split())


def seeded(rate: str, seed: int, loss: float) -> compare.RunSummary:
    """Two steps at ``loss`` and a held-out loss one above."""
    overrides = {"optimizer.learning_rate": rate, "training.seed": str(seed)}
    lines = [{"kind": TRAIN, "step": step, "loss": loss} for step in (1, 2)]
    lines.append({"kind": DEV, "step": 2, "loss": loss + 1})
    metrics = {"steps": 2, "loss": loss, "dev loss": loss + 1, "tokens/s": 5.0}
    return compare.RunSummary(f"sweep/{rate}-{seed}", overrides, metrics, lines)


def test_runs_that_differ_in_their_seed_only_are_one_row():
    runs = [seeded("1e-3", n, loss) for n, loss in enumerate((1.0, 2.0, 3.0))]
    lines = compare.seeds_table([*runs, seeded("3e-3", 0, 5.0)]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    # t(0.975, 2) = 4.3027, s = 1: half = 4.3027 / sqrt(3) = 2.4841. The normal's 1.96 and a
    # spread that divides by n would give 0.9239.
    assert cells[0] == ["optimizer.learning_rate", "seeds", "loss [95%]", "dev loss [95%]"]
    assert cells[2] == ["1e-3", "3", "2.0000 [-0.4841–4.4841]", "3.0000 [0.5159–5.4841]"]
    assert cells[3] == ["3e-3", "1", "5.0000", "6.0000"], "one seed has no interval"


def test_without_a_second_seed_there_is_no_such_table():
    assert compare.seeds_table([seeded("1e-3", 0, 1.0), seeded("3e-3", 0, 2.0)]) == ""


def test_the_plot_draws_seeds_as_one_line_in_a_band(tmp_path):
    runs = [seeded("1e-3", n, loss) for n, loss in enumerate((1.0, 3.0))]
    compare.plot_comparison([*runs, seeded("3e-3", 0, 5.0)], tmp_path / "losses.svg")
    assert "<svg" in (tmp_path / "losses.svg").read_text()
    steps, mean, low, high = compare._band(runs, TRAIN)
    assert (steps, mean, low, high) == ([1, 2], [2.0, 2.0], [1.0, 1.0], [3.0, 3.0])
