"""Trajectories as a TFDS dataset: scalar columns plus one canonical-JSON feature.

The files are array_record, written and read without TensorFlow. Any script can open them:

    tfds.builder_from_directory(path).as_data_source(split="train")
"""

import contextlib
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medr_jax import jsonl
from medr_jax.types import Trajectory

DATASET_NAME = "medr_trajectories"
VERSION = "1.0.0"
COLUMN = "trajectory"
"""The feature that holds the whole record; the other columns only repeat parts of it."""

_TEXT_COLUMNS = (
    "trajectory_id", "question_id", "question", "answer", "answer_kind", "specialty", "policy",
    "form", "status", COLUMN,
)  # fmt: skip
_INT_COLUMNS = ("num_hops", "num_tool_calls")


def write_dataset(
    path: str | os.PathLike[str],
    trajectories_by_split: Mapping[str, Sequence[Trajectory]],
    metadata: Mapping[str, Any],
    *,
    num_shards: int = 1,
) -> dict[str, int]:
    """Writes the dataset folder ``path``, whole or not at all; returns examples per split.

    Order is kept. A split without trajectories is left out, since TFDS cannot hold one. There
    are never more shards than the smallest split has examples. ``metadata`` (JSON values) is
    what ``builder.info.metadata`` gives back; its ``licences`` also become the info's license.

    Raises:
        ValueError: there is not a single trajectory.
    """
    splits = {name: rows for name, rows in trajectories_by_split.items() if rows}
    if not splits:
        raise ValueError(f"{path}: no trajectories to write; see the rejection counts")
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shards = max(1, min(num_shards, *(len(rows) for rows in splits.values())))
    _prepare(partial, splits, dict(metadata), shards)
    shutil.rmtree(path, ignore_errors=True)
    (partial / DATASET_NAME / VERSION).replace(path)
    shutil.rmtree(partial)
    return {name: len(rows) for name, rows in splits.items()}


def read_trajectories(path: str | os.PathLike[str], split: str) -> Iterator[Trajectory]:
    """The trajectories of one split, in the order written.

    Raises:
        ValueError: no such dataset or split, or a damaged file; says what to do.
    """
    import tensorflow_datasets as tfds

    # Only the column that holds everything: all of them take three times as long.
    column = tfds.features.FeaturesDict({COLUMN: tfds.features.Text()})
    source = _open_split(Path(path), split)
    for number in range(len(source)):
        try:
            line = column.deserialize_example_np(source[number])[COLUMN]
        except Exception as error:  # array_record raises several types on damaged files
            raise ValueError(_damaged(path, split, error)) from error
        if not line:  # a file cut short reads as empty columns
            raise ValueError(_damaged(path, split, f"example {number} is empty"))
        yield jsonl.decode(line, Trajectory, origin=f"{path}, {split} example {number}")


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``write_dataset`` was given as ``metadata``."""
    return dict(_builder(Path(path)).info.metadata or {})


def row(trajectory: Trajectory) -> dict[str, Any]:
    """The columns of one example."""
    question = trajectory.question
    return {
        "trajectory_id": trajectory.trajectory_id,
        "question_id": question.question_id,
        "question": question.text,
        "answer": question.answer,
        "answer_kind": str(question.answer_kind),
        "specialty": question.specialties[0] if question.specialties else "",
        "policy": trajectory.policy,
        "form": trajectory.form,
        "status": str(trajectory.status),
        "num_hops": question.num_hops,
        "num_tool_calls": trajectory.num_tool_calls,
        COLUMN: jsonl.encode(trajectory),
    }


def _prepare(
    folder: Path, splits: dict[str, Sequence[Trajectory]], metadata: dict[str, Any], shards: int
) -> None:
    import numpy as np
    import tensorflow_datasets as tfds

    text, integer = tfds.features.Text(), np.int64
    columns = dict.fromkeys(_TEXT_COLUMNS, text) | dict.fromkeys(_INT_COLUMNS, integer)

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(VERSION)
        name = DATASET_NAME
        code_path = None  # no package of ours holds checksums or tags for TFDS to look up

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                description="Research trajectories of medr_jax; see card.md beside this folder.",
                features=tfds.features.FeaturesDict(columns),
                metadata=tfds.core.MetadataDict(metadata),
                license="\n".join(metadata.get("licences", ())),
                disable_shuffling=True,  # the order on disk is the order given
            )

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(rows) for name, rows in splits.items()}

        def _generate_examples(self, rows):
            yield from ((number, row(trajectory)) for number, trajectory in enumerate(rows))

    tfds.disable_progress_bar()
    builder = Builder(data_dir=str(folder), file_format="array_record")
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS announces a download; there is none
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(num_shards=shards, compute_stats="skip")
        )


def _builder(path: Path):
    import tensorflow_datasets as tfds

    if not (path / "dataset_info.json").is_file():
        raise ValueError(f"{path}: not a dataset folder (no dataset_info.json); run synthesize")
    try:
        return tfds.builder_from_directory(str(path))
    except Exception as error:  # unreadable metadata surfaces as many types
        raise ValueError(_damaged(path, "dataset_info.json", error)) from error


def _open_split(path: Path, split: str):
    """The stored bytes of a split's examples, by number."""
    import tensorflow_datasets as tfds

    builder = _builder(path)
    if split not in builder.info.splits:
        known = ", ".join(sorted(builder.info.splits))
        raise ValueError(f"{path}: no split {split!r}; it has {known}")
    expected = builder.info.splits[split].num_examples
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    try:
        source = builder.as_data_source(split=split, deserialize_method=raw)
        found = len(source)
    except Exception as error:
        raise ValueError(_damaged(path, split, error)) from error
    if found != expected:
        raise ValueError(_damaged(path, split, f"{found} of {expected} examples"))
    return source


def _damaged(path: str | os.PathLike[str], part: str, error: object) -> str:
    return f"{path}: {part} is damaged ({error}); delete the folder and run synthesize again"
