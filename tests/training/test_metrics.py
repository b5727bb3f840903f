"""The metrics file: exact, append-only, cut back on resume; and its picture."""

import pytest

from medr_jax.training.metrics import DEV, TRAIN, MetricsFile, plot_curves, read_metrics


@pytest.fixture
def file(tmp_path):
    return MetricsFile(tmp_path / "metrics.jsonl")


def test_lines_after_the_checkpoint_and_half_lines_are_forgotten(file):
    for step in range(1, 6):
        file.append(TRAIN, step, {"loss": 1 / step})
    file.append(DEV, 3, {"loss": 0.5})
    with file.path.open("a") as out:
        out.write('{"kind": "train", "step": 6, "lo')  # a kill in the middle of a line
    file.truncate_after(3)
    records = read_metrics(file.path)
    assert [(r["kind"], r["step"]) for r in records] == [
        *((TRAIN, step) for step in (1, 2, 3)), (DEV, 3),
    ]  # fmt: skip
    assert records[2]["loss"] == 1 / 3, "written in full precision"
    file.append(TRAIN, 4, {"loss": 0.25})
    assert [r["step"] for r in read_metrics(file.path)] == [1, 2, 3, 3, 4]


def test_only_the_first_process_writes(tmp_path):
    silent = MetricsFile(tmp_path / "metrics.jsonl", writes=False)
    silent.append(TRAIN, 1, {"loss": 1.0})
    silent.truncate_after(0)
    assert not silent.path.exists()


def test_a_broken_line_is_named(file):
    file.append(TRAIN, 1, {"loss": 1.0})
    with file.path.open("a") as out:
        out.write("not json\n")
    with pytest.raises(ValueError, match=r"metrics.jsonl:2: not JSON"):
        read_metrics(file.path)
    with pytest.raises(ValueError, match="no such file"):
        read_metrics(file.path.with_name("other.jsonl"))


def test_curves_are_drawn_also_without_any_points(tmp_path):
    records = [
        {"kind": TRAIN, "step": s, "loss": 1.0 / s, "loss/model": 2.0 / s, "grad_norm": 1.0}
        for s in (1, 2)
    ] + [{"kind": DEV, "step": 2, "loss": float("nan"), "token_accuracy/end": 0.5}]
    plot_curves(records, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    plot_curves([], tmp_path / "empty.svg", title="no <steps>")
    assert "<svg" in (tmp_path / "empty.svg").read_text()
