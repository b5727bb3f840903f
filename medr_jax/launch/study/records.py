"""What an arm came to with one seed, in a small file: counted on other machines, too.

Trained models are large and stay where they were made. A record holds what the tables need, every
mark of every question, so intervals can be computed again and seeds can be spread over machines.
"""

import dataclasses
import gzip
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, console, jsonl
from medr_jax.artifacts import Artifact
from medr_jax.launch import rl as rl_stage
from medr_jax.launch import training
from medr_jax.launch.study.answers import Answered, asking
from medr_jax.launch.study.config import Arm
from medr_jax.launch.study.table import Cost, Finished
from medr_jax.sft import start
from medr_jax.types import Record

RECORDS = "records"
"""The folder of them in the study's."""


class ArmRecord(Record):
    """One arm trained with one seed, and asked."""

    arm: str
    seed: int
    recipe: str  # what was trained and asked; see ``recipe``
    commit: str
    dataset: str  # short identity of the demonstrations
    flawed: float  # share of its training demonstrations that have a mistake
    cost: Cost
    curve: tuple[dict[str, float], ...]  # of RL: some metrics at each optimizer step
    answers: tuple[Answered, ...]

    @property
    def finished(self) -> Finished:
        """What the tables are made of."""
        return Finished(cost=self.cost, answers=self.answers)


def recipe(config: SimpleNamespace, arm: Arm, dataset: Artifact, index: Artifact) -> str:
    """Identity of what ``arm_config`` made: two machines with the same one do the same.

    Data by content, settings by value; mesh and micro-batches may differ, sums are the same. Code
    only by the versions of SFT and RL: the record's commit says which it was.
    """
    parts = {
        "model": start.model_config(config.weights, config.model, config.tokenizer.protocol),
        **{name: getattr(config, name) for name in ("optimizer", "data", "lora")},
        "training": dataclasses.replace(config.training, grad_accumulation=1),
        "tokenizer": config.tokenizer,
        "asked": asking(config),
        "learned": {"data": arm.data.value, "version": training.SFT_VERSION},
    }
    if arm.rl:
        parts["rl_optimizer"] = config.rl_optimizer
        parts["rl_training"] = dataclasses.replace(config.rl_training, grad_accumulation=1)
        parts["rl"] = dataclasses.replace(config.rl, micro_rows=1, dump_every=0)
        parts["rl_sampling"] = config.rl_sampling.identity()
        parts["rl_version"] = rl_stage.RL_VERSION
        if arm.asks:
            parts["rl_asks"] = arm.asks.value
    inputs = {
        "synthesis": dataset.content_hash,
        "index": index.content_hash,
        "weights": start.weights_hash(config.weights),
    }
    return artifacts.artifact_key("study", parts, inputs, "1")


def save(folder: Path, record: ArmRecord) -> Path:
    """Writes the record; equal ones give equal files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(record.arm, record.seed)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(gzip.compress(jsonl.encode(record), mtime=0))
    partial.replace(path)
    return path


def find(folders: Sequence[Path], arm: str, seed: int, wanted: str) -> ArmRecord | None:
    """The arm's record with this recipe, from the first folder that has it.

    A record of another recipe is named and passed over.

    Raises:
        ValueError: a file is not a record.
    """
    for path in (folder / _name(arm, seed) for folder in folders):
        if not path.exists():
            continue
        record = load(path)
        if record.recipe == wanted:
            console.say(f"record       {path}, commit {record.commit[:7]}")
            return record
        console.say(f"passed over  {path}: of recipe {record.recipe}, this one is {wanted}")
    return None


def load(path: Path) -> ArmRecord:
    """Reads a record. Raises ValueError where the file is none."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as problem:
        raise ValueError(f"{path}: not a record of rl_study: {problem}") from problem
    return jsonl.decode(content, ArmRecord, origin=str(path))


def _name(arm: str, seed: int) -> str:
    return f"{arm}-seed{seed}.json.gz"
