"""Packed rows to batches, through Grain: seeded order, exact resume, one share per process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grain
import numpy as np

from medr_jax.data.packing import NO_TARGET, PackedRows, TooLong
from medr_jax.loader.relabel import Relabeller
from medr_jax.tokens.protocol import Role

Batch = dict[str, np.ndarray]
"""(B, T) arrays named and typed as in ``BATCH_DTYPES``."""

BATCH_DTYPES = {
    **dict.fromkeys(("token_ids", "positions", "segment_ids", "target_ids"), np.int32),
    **dict.fromkeys(("loss_mask", "target_roles"), np.int32),
    "loss_weights": np.float32,
}

MANY_EPOCHS = 1 << 31


@dataclass(kw_only=True, slots=True)
class MixedDataset:
    """A further dataset to train on, and the share of the rows that come from it."""

    path: str = ""  # folder of a TFDS dataset of trajectories
    share: float = 0.0
    split: str = "train"

    def __post_init__(self) -> None:
        if not self.path or not 0.0 < self.share < 1.0:
            raise ValueError(
                f"data.mix: path={self.path!r}, share={self.share}; name a dataset's folder and a "
                "share between 0 and 1"
            )


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """What becomes of a dataset on its way to a training step."""

    row_length: int = 2560  # tokens; the longest of the default trajectories has 2,554
    too_long: TooLong = TooLong.drop  # what becomes of longer trajectories; all are counted
    mix: list[MixedDataset] = field(default_factory=list)  # the run's own has the remaining share
    train_split: str = "train"
    dev_split: str = "dev"  # held-out loss; "" = none
    shuffle: bool = True
    context_weight: float = 0.0  # loss weight of tokens the model never has to produce
    train_thoughts: bool = True  # False: what the model thinks is context, as what it reads is
    permute_content: float = 0.0  # share of trajectories whose content tokens are relabelled
    prefetch: int = 4  # batches made ahead, by one thread

    def __post_init__(self) -> None:
        if self.row_length < 2:
            raise ValueError(f"data.row_length={self.row_length}: must be at least 2")
        for name in ("context_weight", "permute_content"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"data.{name}={value}: must be between 0 and 1")
        if sum(mixed.share for mixed in self.mix) >= 1.0:
            raise ValueError(
                f"data.mix: shares {[mixed.share for mixed in self.mix]} leave nothing for the "
                "run's own dataset; make their sum less than 1"
            )
        if self.prefetch < 0:
            raise ValueError(f"data.prefetch={self.prefetch}: must be 0 or more")


class _Rows:
    """A Grain source: one packed row as a dict of (T,) arrays, with its loss weights."""

    def __init__(self, packed: PackedRows, config: DataConfig) -> None:
        self._packed = packed
        self._context_weight = config.context_weight
        self._train_thoughts = config.train_thoughts

    def __len__(self) -> int:
        return self._packed.num_rows

    def __getitem__(self, index: int) -> Batch:
        packed = self._packed
        mask = packed.loss_mask[index].astype(np.int32)
        roles = packed.target_roles[index].astype(np.int32)
        if not self._train_thoughts:
            mask = np.where(roles == Role.THOUGHT, 0, mask)
        context = (roles != NO_TARGET) & (mask == 0)
        return {
            "token_ids": np.asarray(packed.token_ids[index]),
            "segment_ids": np.asarray(packed.segment_ids[index]),
            "positions": np.asarray(packed.positions[index]),
            "target_ids": np.asarray(packed.target_ids[index]),
            "loss_mask": mask,
            "target_roles": roles,
            "loss_weights": (mask + self._context_weight * context).astype(np.float32),
        }


class Loader:
    """An endless stream of batches whose position can be saved and set.

    Over all processes, batch n holds the same rows however many processes there are: the
    stream of rows (epoch after epoch, each in its own order) is dealt out one row at a time.
    A batch may hold the end of one epoch and the start of the next, so no row is ever skipped.
    Rows of ``mixed`` datasets, one for each of ``config.mix``, are dealt in between in their
    shares; each dataset has epochs of its own.
    """

    def __init__(
        self,
        packed: PackedRows,
        config: DataConfig,
        *,
        batch_rows: int,
        seed: int,
        mixed: Sequence[PackedRows] = (),
        relabeller: Relabeller | None = None,
        process_index: int = 0,
        process_count: int = 1,
    ) -> None:
        if batch_rows % process_count:
            raise ValueError(
                f"training.batch_rows={batch_rows}: must be a multiple of the "
                f"{process_count} processes"
            )
        streams = [_stream(one, config, seed) for one in (packed, *mixed)]
        rows = streams[0]
        if mixed:
            shares = [one.share for one in config.mix]
            rows = grain.MapDataset.mix(streams, [1.0 - sum(shares), *shares])
            rows = rows.seed(seed)
        if relabeller is not None and config.permute_content > 0:
            rows = rows.random_map(relabeller)  # by (seed, place in the stream)
        rows = rows[process_index::process_count]
        batches = rows.batch(batch_rows // process_count)
        threads = 1 if config.prefetch else 0
        options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=config.prefetch)
        self._iterator = iter(batches.to_iter_dataset(options))

    def next_batch(self, params: Any = None) -> Batch:
        """The next batch; ``params`` is for sources that sample from the model."""
        return next(self._iterator)

    def get_state(self) -> dict[str, Any]:
        """JSON that ``set_state`` takes to go on after the last batch given out."""
        return self._iterator.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to where ``get_state`` was called."""
        self._iterator.set_state(state)


def _stream(packed: PackedRows, config: DataConfig, seed: int) -> grain.MapDataset:
    """The rows of a dataset, epoch after epoch."""
    rows = grain.MapDataset.source(_Rows(packed, config)).seed(seed)
    if config.shuffle:
        rows = rows.shuffle()  # another order each epoch
    return rows.repeat(MANY_EPOCHS)  # endless overflows Grain's length in batches of 1


def evaluation_batches(
    packed: PackedRows,
    config: DataConfig,
    *,
    batch_rows: int,
    max_rows: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Each row once, in order, in batches of one shape; the last is filled with padding rows.

    With ``max_rows`` only that many, spread evenly over the rows.
    """
    source = _Rows(packed, config)
    wanted = min(max_rows or len(source), len(source))
    indices = np.arange(wanted) * len(source) // wanted
    empty = {name: np.zeros_like(array) for name, array in source[0].items()}
    for start in range(0, wanted, batch_rows):
        rows = [source[int(index)] for index in indices[start : start + batch_rows]]
        rows += [empty] * (batch_rows - len(rows))
        share = rows[process_index::process_count]
        yield {name: np.stack([row[name] for row in share]) for name in empty}
