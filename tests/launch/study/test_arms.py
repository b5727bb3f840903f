"""What the study's filters leave of the demonstrations."""

from types import SimpleNamespace

import msgspec
import pytest

from medr_jax.data.tfds_builder import write_dataset
from medr_jax.launch.stages import PathsConfig
from medr_jax.launch.study import arms
from medr_jax.launch.study.arms import about_kept_back, kept, read
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


def chain(seed, *hops):
    hops = [SimpleNamespace(source_id=one, target_id=other) for one, other in hops]
    return SimpleNamespace(chain=SimpleNamespace(seed_id=seed, hops=hops))


def test_a_question_is_about_every_entity_of_its_chain(monkeypatch):
    families = {"alone": "", "one of three": "f", "gene of three": "f"}
    monkeypatch.setattr(arms.stages, "graph", lambda config: "artifact")
    monkeypatch.setattr(arms.stages, "load_graph", lambda artifact: f"graph of {artifact}")
    monkeypatch.setattr(
        arms, "disease_families", lambda graph: families if graph == "graph of artifact" else {}
    )
    about = about_kept_back(SimpleNamespace())
    assert about(chain("alone", ("alone", "sign"))) == (False, True)
    assert about(chain("one of three", ("one of three", "gene of three"))) == (True, False)
    assert about(chain("alone", ("alone", "sign"), ("sign", "one of three"))) == (True, True)
    assert about(chain("sign")) == (False, False)  # what all share is of no family


def test_rl_is_asked_what_sft_has_nothing_of(tmp_path, monkeypatch, demonstrations):
    about = dict(
        zip(
            [row.question.question_id for row in demonstrations],
            [(False, True), (True, True), (True, False), (False, False), (True, False)] * 2,
            strict=False,
        )
    )
    monkeypatch.setattr(
        arms, "about_kept_back", lambda config: lambda question: about[question.question_id]
    )
    made = dataset(tmp_path, demonstrations)
    left = {
        data: [row.trajectory_id for row in read(found.path / "dataset", "train")]
        for data in (Data.seen, Data.unseen)
        for found in [kept(config(tmp_path), made, data)]
    }
    ids = [row.trajectory_id for row in demonstrations]
    assert sorted(left[Data.seen]) == [ids[0], ids[3], ids[5]]  # what mixes both is in neither
    assert sorted(left[Data.unseen]) == [ids[2], ids[4]]


@pytest.mark.parametrize("asks", [None, Data.unseen])
def test_rl_asks_what_its_arm_says(tmp_path, monkeypatch, asks):
    made = SimpleNamespace(path="all")
    folders = {Data.seen: "seen", Data.unseen: "unseen"}
    monkeypatch.setattr(arms, "kept", lambda config, dataset, data: folders[data])
    monkeypatch.setattr(arms.stages, "tokenizer", lambda config, dataset: dataset)
    given = []

    def sft(config, learned, tokenizer):
        given.append((learned, tokenizer))
        return tokenizer, SimpleNamespace(path="sft")

    def rl(config, asked):
        given.append((config.checkpoint, asked))
        return "sft", "rl"

    monkeypatch.setattr(arms.training, "sft", sft)
    monkeypatch.setattr(arms.rl_stage, "rl", rl)
    arm = arms.Arm("an arm", Data.seen, rl=True, asks=asks)
    assert arms.train_arm(SimpleNamespace(checkpoint=""), arm, made)[1] == "rl"
    assert given == [("seen", made), ("sft", "unseen" if asks else made)]
