import subprocess
import sys

import pytest

from medr_jax.data import tfds_builder
from medr_jax.types import Answer, Chain, Kind, Question, Status, ToolCall, Trajectory, Turn


def trajectory(number: int, thought: str = "look it up") -> Trajectory:
    question = Question(
        question_id=f"q{number}",
        text="Which gene?\0 Müller",
        chain=Chain(clues=(), hops=(), seed_id="OMIM:1"),
        num_hops=2,
        answer="FBN1",
        answer_id="GENE:FBN1",
        answer_kind=Kind.GENE,
        specialties=("eye", "heart"),
    )
    turns = (
        Turn(thought=thought, calls=(ToolCall(name="search", arguments={"query": "x"}),)),
        Turn(answer=Answer(text="FBN1", citations=("OMIM:1",))),
    )
    return Trajectory(trajectory_id=f"t{number}", question=question, turns=turns, status=Status.OK)


@pytest.fixture
def dataset(tmp_path):
    rows = {"train": [trajectory(i) for i in range(57)], "dev": [trajectory(i) for i in (90, 91)]}
    tfds_builder.write_dataset(tmp_path / "d", rows, {"licences": ["A", "B"]}, num_shards=2)
    return tmp_path / "d", rows


def test_what_is_written_is_read_back_in_order(dataset):
    path, rows = dataset
    for split, written in rows.items():
        assert list(tfds_builder.read_trajectories(path, split)) == written
    assert tfds_builder.read_metadata(path) == {"licences": ["A", "B"]}


def test_an_empty_split_is_left_out_and_shards_fit_the_smallest(tmp_path):
    # TFDS refuses a split without examples, and one with fewer examples than shards.
    rows = {"train": [trajectory(i) for i in range(5)], "dev": [trajectory(7)], "test": []}
    counts = tfds_builder.write_dataset(tmp_path / "d", rows, {}, num_shards=8)
    assert counts == {"train": 5, "dev": 1}
    assert len(list((tmp_path / "d").glob("*train*"))) == 1
    with pytest.raises(ValueError, match="no split 'test'; it has dev, train"):
        list(tfds_builder.read_trajectories(tmp_path / "d", "test"))


def test_no_trajectories_at_all_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no trajectories"):
        tfds_builder.write_dataset(tmp_path / "d", {"train": []}, {})


def test_writing_again_replaces(dataset):
    path, _ = dataset
    tfds_builder.write_dataset(path, {"train": [trajectory(3, "other")]}, {})
    (only,) = tfds_builder.read_trajectories(path, "train")
    assert only.turns[0].thought == "other"
    assert [entry.name for entry in path.parent.iterdir()] == ["d"]


def test_a_plain_script_opens_it_without_this_package_or_a_framework(dataset):
    path, _ = dataset
    script = f"""
import sys
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory({str(path)!r})
row = builder.as_data_source(split="train")[56]
print(len(builder.as_data_source(split="train")), row["num_hops"], row["num_tool_calls"])
print(row["trajectory_id"].decode(), row["specialty"].decode(), builder.info.metadata)
print(sorted({{"jax", "tensorflow", "grain", "medr_jax"}} & set(sys.modules)))
"""
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=path
    ).stdout.splitlines()
    assert out == ["57 2 1", "t56 eye {'licences': ['A', 'B']}", "[]"]


def damage_info(path):
    (path / "dataset_info.json").write_text("{")


def damage_missing_shard(path):
    next(path.glob("*train*00001-of*")).unlink()


def damage_half_shard(path):
    shard = next(path.glob("*train*00001-of*"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])


@pytest.mark.parametrize("damage", [damage_info, damage_missing_shard, damage_half_shard])
def test_a_damaged_dataset_says_what_to_do(dataset, damage):
    path, _ = dataset
    damage(path)
    with pytest.raises(ValueError, match="is damaged .* delete the folder and run synthesize"):
        list(tfds_builder.read_trajectories(path, "train"))


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(ValueError, match="not a dataset folder"):
        list(tfds_builder.read_trajectories(tmp_path, "train"))
