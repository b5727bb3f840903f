"""What the study's filters leave of the demonstrations."""

from types import SimpleNamespace

import msgspec
import pytest

from medr_jax.data.tfds_builder import write_dataset
from medr_jax.launch.stages import PathsConfig
from medr_jax.launch.study.arms import kept, read
from medr_jax.launch.study.config import Data
from medr_jax.testing.training import invented_trajectories
from medr_jax.trajectories.flaws import Flaw, label


def ending_with(trajectory, text):
    """The trajectory with another answer; None: without one."""
    *turns, last = trajectory.turns
    answer = None if text is None else msgspec.structs.replace(last.answer, text=text)
    turns.append(msgspec.structs.replace(last, answer=answer))
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


def flawed(trajectory, flaw):
    return msgspec.structs.replace(trajectory, flaws=(label(flaw, 1),))


def dataset(tmp_path, train):
    path = tmp_path / "made"
    splits = {"train": train, "dev": list(invented_trajectories(1, 1, split="dev"))}
    counts = {split: len(rows) for split, rows in splits.items()}
    write_dataset(path / "dataset", splits, {"counts": counts})
    return SimpleNamespace(path=path, content_hash="made")


def config(tmp_path):
    return SimpleNamespace(paths=PathsConfig(artifacts=str(tmp_path / "artifacts")))


@pytest.fixture
def demonstrations():
    good, twice, detour, early, silent, unlabelled = invented_trajectories(6, 0)
    return [
        good,
        flawed(twice, Flaw.REPEATED_SEARCH),
        flawed(detour, Flaw.WRONG_TURN),
        flawed(ending_with(early, "nothing of the kind"), Flaw.PREMATURE_ANSWER),
        ending_with(silent, None),
        ending_with(unlabelled, "nothing of the kind"),
    ]


@pytest.mark.parametrize(
    ("data", "left"),
    [(Data.filtered, [0, 2, 4, 5]), (Data.right, [0, 1, 2])],
    ids=["by label", "by answer"],
)
def test_a_filter_keeps_what_it_can_tell_is_good(tmp_path, demonstrations, data, left):
    made = dataset(tmp_path, demonstrations)
    artifact = kept(config(tmp_path), made, data)
    rows = read(artifact.path / "dataset", "train")
    ids = [row.trajectory_id for row in demonstrations]
    assert sorted(row.trajectory_id for row in rows) == [ids[place] for place in left]
    assert artifact.manifest.counts["left_out"] == len(demonstrations) - len(left)
    assert len(read(artifact.path / "dataset", "dev")) == 1


def test_the_filters_artifacts_are_not_taken_for_one_another(tmp_path, demonstrations):
    made = dataset(tmp_path, demonstrations)
    paths = {kept(config(tmp_path), made, data).path for data in (Data.filtered, Data.right)}
    assert len(paths) == 2


def test_a_filter_that_keeps_nothing_says_what_to_change(tmp_path, demonstrations):
    made = dataset(tmp_path, demonstrations[3:4])
    with pytest.raises(ValueError, match=r"keeps none of 1 .*synthesis\.exploration\.share"):
        kept(config(tmp_path), made, Data.right)
