"""A dataset of trajectories as packed rows: each tokenised once, then kept on disk."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medr_jax import console
from medr_jax.data import packing
from medr_jax.data.packing import PackedRows, TooLong
from medr_jax.data.tfds_builder import read_metadata, read_trajectories
from medr_jax.tokens.ledger import LEDGER_VERSION, Ledger, ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.tokenizer import Tokenizer

WORTH_SAYING = 0.05
"""Share of a split that is too long, above which the user is told."""


@dataclass(kw_only=True, slots=True)
class TrajectoryData:
    """A dataset and how its trajectories are written as tokens."""

    path: Path  # of the TFDS dataset
    content_hash: str = ""  # of the dataset; "" = hash its files
    tokenizer: Tokenizer
    protocol: str = "compact"
    tool_schemas: Sequence[dict] = ()  # for protocols that show them
    cache_dir: Path

    def __post_init__(self) -> None:
        if not self.content_hash:
            self.content_hash = folder_hash(self.path)

    def other(self, path: Path) -> "TrajectoryData":
        """Another dataset, written with the same tokenizer and protocol."""
        schemas = read_metadata(path).get("tool_schemas", ())
        return dataclasses.replace(self, path=path, content_hash="", tool_schemas=schemas)

    def packed(self, split: str, row_length: int, too_long: TooLong = TooLong.drop) -> PackedRows:
        """Packed rows of a split, from the cache when there.

        Raises:
            ValueError: no such split, a trajectory that cannot be written, or none that fits.
        """
        protocol = get_protocol(self.protocol)
        identity = {
            "dataset": self.content_hash,
            "split": split,
            "tokenizer": self.tokenizer.content_hash,
            "protocol": f"{protocol.name} {protocol.version}",
            "ledger_version": LEDGER_VERSION,
            "tools": hashlib.sha256(repr(self.tool_schemas).encode()).hexdigest(),
        }
        rows = packing.cached(
            self.cache_dir, identity, row_length, lambda: self._ledgers(split), too_long
        )
        dropped, number = rows.counts["dropped_too_long"], len(rows.trajectory_rows)
        if dropped > WORTH_SAYING * number:
            console.say(
                f"warning: {dropped:,} of {number:,} trajectories of {split} are longer than "
                f"data.row_length={row_length} and left out; raise it, and model.max_length with "
                "it, or set data.too_long=cut"
            )
        return rows

    def _ledgers(self, split: str) -> Iterator[Ledger]:
        protocol = get_protocol(self.protocol)
        trajectories = read_trajectories(self.path, split)
        for trajectory in console.track(trajectories, f"tokenising {split}"):
            yield ledger_from_trajectory(trajectory, self.tokenizer, protocol, self.tool_schemas)


def describe_batch(
    tokenizer: Tokenizer, batch: Mapping[str, np.ndarray]
) -> Iterator[dict[str, object]]:
    """One JSON line for each trajectory of a batch of rows, to be read by a person."""
    for row, segment_ids in enumerate(batch["segment_ids"]):
        for segment in range(1, int(segment_ids.max(initial=0)) + 1):
            place = segment_ids == segment
            token_ids = batch["token_ids"][row][place].tolist()
            targets = batch["target_ids"][row][place & (batch["loss_weights"][row] > 0)].tolist()
            yield {
                "row": row,
                "segment": segment,
                "token_ids": token_ids,
                "text": tokenizer.decode(token_ids),
                "trained_text": tokenizer.decode(targets),
            }


def folder_hash(path: Path) -> str:
    """Identity of a dataset's files, which differ when the same dataset is made twice."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
