"""From an arm's name to a trained policy; stages that arms have in common are made once."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medr_jax import jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data import tfds_builder
from medr_jax.grading import match
from medr_jax.graph.families import disease_families
from medr_jax.launch import rl as rl_stage
from medr_jax.launch import stages, training
from medr_jax.launch.study.config import Arm, Data
from medr_jax.trajectories import flaws
from medr_jax.types import Question, Trajectory

FILTER_VERSION = "1"
"""Raise it when a change of code filters otherwise."""

NUM_SHARDS = 4

Keeps = Callable[[Trajectory], bool]


def train_arm(config: SimpleNamespace, arm: Arm, dataset: Artifact) -> tuple[Artifact, ...]:
    """Trains what ``arm_config`` says, or finds what is trained already.

    Returns the runs, the first one first; the last one's policy is the arm's.
    """
    learned = kept(config, dataset, arm.data) if arm.data in KEPT else dataset
    tokenizer = stages.tokenizer(config, dataset)  # of one set of texts, whatever is kept
    sft = training.sft(config, learned, tokenizer)[1]
    if not arm.rl:
        return (sft,)
    changed = SimpleNamespace(**vars(config))
    changed.checkpoint = str(sft.path)
    asked = kept(config, dataset, arm.asks) if arm.asks else dataset
    return (sft, rl_stage.rl(changed, asked)[1])


def arm_config(config: SimpleNamespace, arm: Arm, seed: int) -> SimpleNamespace:
    """The run's config as the arm and the seed change it."""
    changed = SimpleNamespace(**vars(config))
    if arm.data in (Data.clean, Data.seen):
        changed.synthesis = config.clean_synthesis
    steps = config.training.num_steps + arm.more_sft * config.study.extra_sft_steps
    changed.training = dataclasses.replace(config.training, seed=seed, num_steps=steps)
    changed.rl_training = dataclasses.replace(config.rl_training, seed=seed)
    rewards = dataclasses.replace(config.rl.rewards, **dict(arm.rewards))
    changed.rl = dataclasses.replace(config.rl, rewards=rewards)
    changed.checkpoint, changed.replay = "", ""
    return changed


def kept(config: SimpleNamespace, dataset: Artifact, data: Data) -> Artifact:
    """The dataset with those training demonstrations that the filter keeps.

    Raises:
        ValueError: it keeps none.
    """
    rows_path = dataset.path / "dataset"
    settings, make = KEPT[data]

    def build(path: Path) -> Outcome:
        keeps = make(config)
        rows = {split: read(rows_path, split) for split in ("train", "dev", "test")}
        before = len(rows["train"])
        rows["train"] = [row for row in rows["train"] if keeps(row)]
        if not rows["train"]:
            raise ValueError(
                f"the filter {data.value!r} keeps none of {before} demonstrations; raise "
                "questions.num_train, or lower synthesis.exploration.share"
            )
        counts = {split: len(found) for split, found in rows.items()}
        counts["left_out"] = before - len(rows["train"])
        content_hash = jsonl.content_hash(row for found in rows.values() for row in found)
        metadata = tfds_builder.read_metadata(rows_path) | {"counts": counts}
        metadata["content_hash"] = content_hash
        tfds_builder.write_dataset(path / "dataset", rows, metadata, num_shards=NUM_SHARDS)
        return Outcome(content_hash=content_hash, counts=counts)

    return stages.run_stage(
        config,
        "filtered",
        settings=settings,
        inputs={"synthesis": dataset.content_hash},
        version=FILTER_VERSION,
        build=build,
        shown=("train", "left_out"),
    )


def read(path: Path, split: str) -> Sequence[Trajectory]:
    """A split's trajectories; none where it has none."""
    counts = tfds_builder.read_metadata(path)["counts"]
    return list(tfds_builder.read_trajectories(path, split)) if counts.get(split) else []


def has_mistake(trajectory: Trajectory) -> bool:
    """Whether the demonstration was made to do something wrong that stays."""
    return any(flaw in flaws.MISTAKES for flaw, _ in flaws.labelled(trajectory))


def is_right(trajectory: Trajectory) -> bool:
    """Whether it ends with the right answer: what can be known where no flaw is labelled."""
    answer = trajectory.answer
    return answer is not None and match.is_correct(answer.text, trajectory.question)


def about_kept_back(config: SimpleNamespace) -> Callable[[Question], tuple[bool, bool]]:
    """Whether a question's chain names something of a family, and whether something of none.

    All families of the training split are kept back: held-out questions are about families, too,
    only others. What belongs to none (diseases with many genes, or alone) is left to SFT.
    """
    families = disease_families(stages.load_graph(stages.graph(config)))

    def about(question: Question) -> tuple[bool, bool]:
        hops = question.chain.hops
        ids = [question.chain.seed_id, *(one.source_id for one in hops)]
        ids += [one.target_id for one in hops]
        found = {bool(families[one]) for one in ids if one in families}
        return True in found, False in found

    return about


def _seen(config: SimpleNamespace) -> Keeps:
    about = about_kept_back(config)
    return lambda trajectory: not about(trajectory.question)[0]


def _unseen(config: SimpleNamespace) -> Keeps:
    about = about_kept_back(config)
    return lambda trajectory: about(trajectory.question) == (True, False)


KEPT: dict[Data, tuple[dict[str, Any], Callable[[SimpleNamespace], Keeps]]] = {
    Data.filtered: (
        {"without": sorted(map(str, flaws.MISTAKES))},
        lambda _: lambda trajectory: not has_mistake(trajectory),
    ),
    Data.right: ({"answer": "right"}, lambda _: is_right),
    Data.seen: ({"families": "none"}, _seen),
    Data.unseen: ({"families": "only"}, _unseen),
}
"""Filters of training demonstrations: what identifies them, and what they keep."""
