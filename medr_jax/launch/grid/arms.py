"""One arm with one seed: trained, asked, and what is kept of it."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medr_jax.artifacts import Artifact
from medr_jax.eval import arms as kept
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval.arms import ArmRecord
from medr_jax.launch import record, stages, training
from medr_jax.launch.evaluation import evaluate
from medr_jax.launch.grid.config import ARMS, Arm, Changes
from medr_jax.training.metrics import METRICS, TRAIN, read_metrics

_MAX_POINTS = 400  # of a learning curve in a record


def run_arm(config: SimpleNamespace, name: str, seed: int, command: str) -> ArmRecord:
    """Trains (or finds) the arm and asks it the main arm's held-out questions.

    Raises:
        ValueError: the arm cannot be run as configured.
    """
    arm = ARMS[name]
    questions = stages.synthesize(config)  # those of the main arm
    trained = train(config, arm, seed)
    acting = changed(config, arm.act)
    acting.checkpoint = str(trained.path)
    if name != "main":
        kinds = {"baselines": ["majority"], "emptied_results": False}
        acting = changed(acting, {"evaluation": kinds})
    evaluated = evaluate(acting, questions).artifact
    results = evaluation.load_results(evaluated.path)
    records = [one for one in read_metrics(trained.path / METRICS) if one["kind"] == TRAIN]
    environment = record.environment()
    return ArmRecord(
        arm=name,
        label=arm.label,
        seed=seed,
        run_id=f"{evaluated.path.name[:8]}/{trained.path.name[:8]}",
        command=command,
        commit=str(environment["commit"]),
        machine=f"{environment['platform']}, {environment['cpus']} CPUs",
        train_seconds=trained.manifest.seconds,
        train_tokens=sum(one.get("tokens", 0) for one in records),
        train_steps=len(records),
        summaries=evaluation.load_summaries(evaluated.path),
        marks={one.question.question_id: one.correct for one in results if not one.infra_failed},
        curve=_thinned([(one["step"], one["loss/model"]) for one in records]),
        examples=kept.examples(results),
    )


def not_run(name: str, seed: int, reason: str) -> ArmRecord:
    """The record of an arm that was not run. Paths of this machine do not stay in it."""
    one_line = " ".join(reason.split())
    return ArmRecord(
        arm=name, label=ARMS[name].label, seed=seed, reason=re.sub(r"(?<![\w.])/\S+/", "", one_line)
    )


def train(config: SimpleNamespace, arm: Arm, seed: int) -> Artifact:
    """The arm's SFT run; stages that it does not change are those of the main arm."""
    training_changes: dict[str, Any] = {"seed": seed}
    if arm.no_training:
        training_changes |= {"num_steps": 1, "eval_every": 0, "checkpoint_every": 1}
    # A retriever of one's own is a matter of acting: all arms learn with the same index.
    act = {group: fields for group, fields in arm.act.items() if group != "index"}
    learning = changed(changed(config, arm.train), act)
    return training.sft(changed(learning, {"training": training_changes}))[1]


def changed(config: SimpleNamespace, changes: Changes) -> SimpleNamespace:
    """A copy of the config with other values in some of its groups."""
    copy = SimpleNamespace(**vars(config))
    for group, fields in changes.items():
        setattr(copy, group, _replaced(getattr(config, group), fields))
    return copy


def _replaced(part: Any, fields: Mapping[str, Any]) -> Any:
    values = {
        name: _replaced(getattr(part, name), value)
        if dataclasses.is_dataclass(getattr(part, name))
        else value
        for name, value in fields.items()
    }
    return dataclasses.replace(part, **values)


def _thinned(points: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    every = max(1, len(points) // _MAX_POINTS)
    return tuple((step, round(loss, 5)) for step, loss in points[::every])


def results_folder(config: SimpleNamespace) -> Path:
    """Where records, tables and figures go."""
    return Path(config.out)
