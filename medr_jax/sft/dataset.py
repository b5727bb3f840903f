"""A dataset of trajectories as packed rows: each tokenised once, then kept on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medr_jax import console
from medr_jax.data import packing
from medr_jax.data.packing import PackedRows
from medr_jax.data.tfds_builder import read_trajectories
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
            self.content_hash = _folder_hash(self.path)

    def packed(self, split: str, row_length: int) -> PackedRows:
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
        rows = packing.cached(self.cache_dir, identity, row_length, lambda: self._ledgers(split))
        dropped, number = rows.counts["dropped_too_long"], len(rows.trajectory_rows)
        if dropped > WORTH_SAYING * number:
            console.say(
                f"warning: {dropped:,} of {number:,} trajectories of {split} are longer than "
                f"data.row_length={row_length} and left out; raise it, and model.max_length with it"
            )
        return rows

    def _ledgers(self, split: str) -> Iterator[Ledger]:
        protocol = get_protocol(self.protocol)
        trajectories = read_trajectories(self.path, split)
        for trajectory in console.track(trajectories, f"tokenising {split}"):
            yield ledger_from_trajectory(trajectory, self.tokenizer, protocol, self.tool_schemas)


def _folder_hash(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
