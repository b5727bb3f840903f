import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medr_jax import jsonl
from medr_jax.data import tfds_builder
from medr_jax.data.synthesize import Rejection, synthesize
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.generate import generate_questions
from medr_jax.questions.splits import assign_splits
from medr_jax.tools.config import ToolsConfig
from medr_jax.trajectories import crew
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.types import Question

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = {"num_train": 40, "num_dev": 10, "num_test": 10, "dev_fraction": 0.2, "test_fraction": 0.2}
JOBS = {"seeds_per_job": 16, "questions_per_job": 12}

# Runs synthesize and kills itself, as `kill -9` would, at the nth job or while publishing.
SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from medr_jax.questions.config import QuestionConfig
from medr_jax.tools.config import ToolsConfig
from medr_jax.data import synthesize
from medr_jax.trajectories import crew

folder, out, when, questions, synthesis = sys.argv[1:]

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    if when == "publish":
        synthesize.tfds_builder.write_dataset = die
    elif int(when):
        done, do = [], crew._do
        def counted(job, bench):
            done.append(job)
            if len(done) == int(when):
                Path(f"{job.path}.partial").write_bytes(b"half of it")
                die()
            return do(job, bench)
        crew._do = counted
    synthesize.synthesize(
        graph_path=Path(folder, "graph"), index_path=Path(folder, "index"),
        question_config=QuestionConfig(**json.loads(questions)), tools_config=ToolsConfig(),
        config=synthesize.SynthesisConfig(**json.loads(synthesis)), out=Path(out),
    )
"""


def run(toy, out: Path, *, question_seed=0, **synthesis):
    out.mkdir(exist_ok=True)
    return synthesize(
        graph_path=toy.graph,
        index_path=toy.index,
        question_config=QuestionConfig(seed=question_seed, **SIZES),
        tools_config=ToolsConfig(),
        config=SynthesisConfig(**{"num_workers": 1} | JOBS | synthesis),
        out=out,
    )


def script(toy, out: Path, when: str, workers: int = 1) -> list[str]:
    out.mkdir(exist_ok=True)
    settings = [json.dumps(SIZES), json.dumps(JOBS | {"num_workers": workers})]
    return [sys.executable, "-c", SCRIPT, str(toy.graph.parent), str(out), when, *settings]


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    return out, run(toy, out)


def test_the_dataset_holds_what_was_made(toy, made):
    out, outcome = made
    rows = {
        split: list(tfds_builder.read_trajectories(out / "dataset", split))
        for split in ("train", "dev", "test")
    }
    assert {split: len(part) for split, part in rows.items()} == {
        split: outcome.counts[split] for split in rows
    }
    every = [row for part in rows.values() for row in part]
    assert jsonl.content_hash(every) == outcome.content_hash
    assert len(every) >= 50
    for split, part in rows.items():
        questions = list(jsonl.read(out / f"questions-{split}.jsonl", Question))
        assert questions == [row.question for row in part]
        assert {row.question.split for row in part} == {split}
    names = KnowledgeGraph.load(toy.graph)
    for row in every:
        assert (
            filters.reason_against(
                row,
                names=lambda one: (names.entity(one).name, *names.entity(one).synonyms),
                max_words=10**6,
            )
            is None
        )
        assert all(not result.latency_ms for turn in row.turns for result in turn.results)
    assert tfds_builder.read_metadata(out / "dataset")["content_hash"] == outcome.content_hash
    assert sorted(path.name for path in out.iterdir()) == [
        "card.json", "card.md", "dataset", "heldout_named.json",
        "questions-dev.jsonl", "questions-test.jsonl", "questions-train.jsonl",
        "rejections.jsonl",
    ]  # fmt: skip


def test_every_question_is_kept_or_rejected_for_a_counted_reason(toy, made):
    out, _ = made
    graph = KnowledgeGraph.load(toy.graph)
    rejections = list(jsonl.read(out / "rejections.jsonl", Rejection))
    (card,) = jsonl.read(out / "card.json", dict)
    for split in ("train", "dev", "test"):
        kept = {q.question_id for q in jsonl.read(out / f"questions-{split}.jsonl", Question)}
        dropped = {one.question_id for one in rejections if one.split == split}
        # Drafting in shards and waves gives what the plain generator gives.
        asked = {q.question_id for q in generate_questions(graph, QuestionConfig(**SIZES), split)}
        assert kept | dropped == asked and not kept & dropped
        assert sum(card["rejections"][split].values()) == len(dropped)


def test_training_searches_do_not_show_held_out_documents(toy, made, tmp_path):
    out, _ = made
    splits = assign_splits(KnowledgeGraph.load(toy.graph), QuestionConfig(**SIZES))

    def held_out_hits(folder):
        return {
            hit.doc_id
            for row in tfds_builder.read_trajectories(folder / "dataset", "train")
            for turn in row.turns
            for result in turn.results
            for hit in result.hits
            if splits.split_of(hit.doc_id) in ("dev", "test")
        }

    assert not held_out_hits(out)
    run(toy, tmp_path / "open", hide_heldout=False)
    seen = held_out_hits(tmp_path / "open")
    assert seen  # or the test above could not fail
    (named,) = jsonl.read(tmp_path / "open" / "heldout_named.json", list)
    assert seen <= set(named)


def test_same_seed_same_content_other_seed_other_content(toy, made, tmp_path):
    _, outcome = made
    again = run(toy, tmp_path / "again", seeds_per_job=5, questions_per_job=7)
    assert again == outcome  # however the work is cut
    spread = run(toy, tmp_path / "spread", num_workers=2)
    assert spread == outcome
    other = run(toy, tmp_path / "expert", seed=1)
    assert other.content_hash != outcome.content_hash
    other = run(toy, tmp_path / "questions", question_seed=1)
    assert other.content_hash != outcome.content_hash


def killed(toy, out, when):
    process = subprocess.run(script(toy, out, when), cwd=REPOSITORY)
    assert process.returncode == -signal.SIGKILL
    return out


@pytest.fixture(scope="module")
def unfinished(toy, tmp_path_factory):
    return killed(toy, tmp_path_factory.mktemp("unfinished"), "9")


def test_killed_it_goes_on_and_gives_the_same(toy, made, unfinished, tmp_path, monkeypatch):
    _, outcome = made
    out = shutil.copytree(unfinished, tmp_path / "out")
    finished = {path.name for path in out.glob("work/*/*.json")}
    redone, do = set(), crew._do
    monkeypatch.setattr(
        crew, "_do", lambda job, bench: (redone.add(Path(job.path).name), do(job, bench))[1]
    )
    assert run(toy, out) == outcome
    assert len(finished) == 8 and redone and not finished & redone
    assert not (out / "work").exists()


@pytest.mark.parametrize("when", ["2", "publish"])
def test_it_may_be_killed_at_any_point(toy, made, tmp_path, when):
    _, outcome = made
    assert run(toy, killed(toy, tmp_path / "out", when)) == outcome


def test_unfinished_work_of_other_settings_is_not_used(toy, unfinished, tmp_path):
    mixed = run(toy, shutil.copytree(unfinished, tmp_path / "out"), question_seed=3)
    assert mixed == run(toy, tmp_path / "clean", question_seed=3)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc to find processes")
def test_workers_end_with_a_killed_parent(toy, tmp_path):
    parent = subprocess.Popen(script(toy, tmp_path / "out", "0", workers=2), cwd=REPOSITORY)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/work/*/*.json")) and parent.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.kill()
    parent.wait()
    assert children
    while any(_runs(int(pid)) for pid in children):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_nothing_to_learn_from_is_an_error(toy, tmp_path):
    with pytest.raises(ValueError, match="no trajectories"):
        run(toy, tmp_path / "out", max_words=1)


@pytest.mark.parametrize(
    "fields", [{"num_workers": 0}, {"duplicate_overlap": 0.0}, {"max_words": -1}]
)
def test_config_mistakes_name_the_field(fields):
    with pytest.raises(ValueError, match=f"synthesis.{next(iter(fields))}"):
        SynthesisConfig(**fields)
