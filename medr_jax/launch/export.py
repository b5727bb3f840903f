"""Writes a dataset of trajectories in another trainer's form, with metadata and a datasheet."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, console, jsonl
from medr_jax.data import croissant, export
from medr_jax.data.tfds_builder import VERSION, read_metadata, read_trajectories
from medr_jax.launch import stages
from medr_jax.questions.config import SPLITS
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.trajectories import flaws
from medr_jax.trajectories.workshop import TRAIN
from medr_jax.types import Trajectory

METADATA, DATASHEET = "croissant.json", "DATASHEET.md"


def export_trajectories(config: SimpleNamespace) -> dict[str, int]:
    """Writes ``config.out``: ``<split>.jsonl``, croissant.json, DATASHEET.md; rows per split.

    The dataset is that of the folder ``config.dataset``, or the one the config makes.

    Raises:
        ValueError: an unknown format, no ``out``, a folder that is there already, or a split
            that the dataset lacks.
    """
    if config.format not in export.FORMATS:
        raise ValueError(f"format={config.format!r}: use one of {', '.join(export.FORMATS)}")
    if not config.out:
        raise ValueError("out is empty: name the folder to write")
    rows, tokenizer = _dataset(config)
    metadata = read_metadata(rows)
    write = export.writer(
        config.format, metadata["tool_schemas"], tokenizer, config.tokenizer.protocol
    )
    counts, files, mistaken = {}, {}, 0.0
    with artifacts.new_folder(config.out) as folder:
        for split in config.splits or filter(metadata["counts"].get, SPLITS):
            name = f"{split}.jsonl"
            trajectories = read_trajectories(rows, split)
            counts[split] = jsonl.write(folder / name, map(write, trajectories))
            files[name] = _identity(folder / name)
            if split == TRAIN:
                mistaken = _share_with_mistakes(read_trajectories(rows, split))
        facts = metadata | {"share_with_mistakes": mistaken}
        columns = export.columns(config.format)
        described = croissant.metadata(files, columns, facts, version=VERSION)
        jsonl.write(folder / METADATA, [described])
        sheet = croissant.datasheet(counts, columns, facts)
        (folder / DATASHEET).write_text(sheet, encoding="utf-8")
    console.say(f"written      {config.out}")
    return counts


def _dataset(config: SimpleNamespace) -> tuple[Path, Tokenizer | None]:
    """The dataset's folder, and a tokenizer where the format needs one."""
    made = artifacts.load(config.dataset) if config.dataset else stages.synthesize(config)
    if config.format != "tunix":
        return made.path / "dataset", None
    return made.path / "dataset", Tokenizer.load(stages.tokenizer(config, made).path)


def _identity(file: Path) -> tuple[str, int]:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest(), file.stat().st_size


def _share_with_mistakes(trajectories: Iterator[Trajectory]) -> float:
    kinds = [{flaw for flaw, _ in flaws.labelled(trajectory)} for trajectory in trajectories]
    return sum(bool(kind & flaws.MISTAKES) for kind in kinds) / max(1, len(kinds))
