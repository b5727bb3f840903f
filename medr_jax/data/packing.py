"""Ledgers to rows of one fixed length: what a training step reads.

Whole trajectories are placed first-fit, in order, so the same ledgers always give the same
rows. Inputs and targets are aligned here, once: position t of a row predicts ``target_ids[t]``,
the next token of the same trajectory.
"""

import dataclasses
import enum
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import filelock
import numpy as np

from medr_jax import console, jsonl
from medr_jax.tokens.protocol import Role

PACKING_VERSION = 2
NO_TARGET = int(Role.NONE)
"""``target_roles`` where nothing follows: padding and the last token of a trajectory."""

_ARRAYS = (
    "token_ids", "segment_ids", "positions", "target_ids", "loss_mask", "target_roles",
    "trajectory_rows", "trajectory_offsets", "trajectory_cut",
)  # fmt: skip
_COUNTS = "rows.json"


class TooLong(enum.Enum):
    """What becomes of a trajectory longer than a row.

    ``drop`` leaves it out; ``cut`` keeps the whole turns of the model that fit, from the first
    on, so that no observation and no turn is ever cut in two.
    """

    drop = "drop"
    cut = "cut"


class Recorded(Protocol):
    """Tokens of one trajectory with their roles and mask: a ``Ledger``, or a rollout of one."""

    token_ids: np.ndarray
    roles: np.ndarray
    turns: np.ndarray
    loss_mask: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PackedRows:
    """R rows of T tokens. All arrays are (R, T) but the last three, which are per trajectory."""

    token_ids: np.ndarray  # int32; 0 in padding, which only ``segment_ids`` tells apart
    segment_ids: np.ndarray  # int32; 1, 2, ... per trajectory in the row, 0 = padding
    positions: np.ndarray  # int32; from 0 in each trajectory
    target_ids: np.ndarray  # int32; the token that this position predicts
    loss_mask: np.ndarray  # uint8; 1 where the target is in the loss
    target_roles: np.ndarray  # int8; role of the target token, NO_TARGET where there is none
    trajectory_rows: np.ndarray  # int32 (N,); the row of ledger n, -1 = dropped: it is too long
    trajectory_offsets: np.ndarray  # int32 (N,); where in that row it starts
    trajectory_cut: np.ndarray  # int32 (N,); tokens left out at its end, 0 = none

    @property
    def num_rows(self) -> int:
        """R."""
        return self.token_ids.shape[0]

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int(np.count_nonzero(self.segment_ids))

    @property
    def counts(self) -> dict[str, int | float]:
        """What is worth showing: sizes, what was dropped, how much is padding."""
        placed = int(np.count_nonzero(self.trajectory_rows >= 0))
        return {
            "trajectories": placed,
            "dropped_too_long": len(self.trajectory_rows) - placed,
            "cut_too_long": int(np.count_nonzero(self.trajectory_cut)),
            "cut_tokens": int(self.trajectory_cut.sum(dtype=np.int64)),
            "rows": self.num_rows,
            "tokens": self.num_tokens,
            "trained_tokens": int(self.loss_mask.sum(dtype=np.int64)),
            "padding_share": round(1.0 - self.num_tokens / max(self.token_ids.size, 1), 4),
        }


def first_fit(lengths: np.ndarray, row_length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, offset and 1-based place in the row of each length: the first row with room.

    Lengths above ``row_length`` get row -1.
    """
    rows = np.full(len(lengths), -1, np.int32)
    offsets = np.zeros(len(lengths), np.int32)
    places = np.zeros(len(lengths), np.int32)
    free = np.full(len(lengths) + 1, row_length, np.int32)  # at worst a row each
    members = np.zeros(len(lengths) + 1, np.int32)
    fitting = lengths[lengths <= row_length]
    shortest = int(fitting.min()) if len(fitting) else 0
    first_open, num_rows = 0, 0
    for index, length in enumerate(lengths.tolist()):
        if length > row_length:
            continue
        # One row past the end is empty, so there always is a first one that fits.
        row = first_open + int(np.argmax(free[first_open : num_rows + 1] >= length))
        rows[index], offsets[index] = row, row_length - free[row]
        free[row] -= length
        members[row] += 1
        places[index] = members[row]
        num_rows = max(num_rows, row + 1)
        while first_open < num_rows and free[first_open] < shortest:
            first_open += 1  # too full for anything: never looked at again
    return rows, offsets, places


def fitting_length(turns: np.ndarray, loss_mask: np.ndarray, row_length: int) -> int:
    """Tokens of the longest beginning, at most ``row_length``, that ends with a model's turn.

    ``turns`` and ``loss_mask`` are a ledger's. 0 where not even the first turn fits.
    """
    written = np.flatnonzero(loss_mask)  # an observation has the turn that it answers
    last = np.append(np.diff(turns[written]) > 0, True)[: len(written)]
    ends = written[last] + 1
    return int(ends[ends <= row_length].max(initial=0))


def pack(
    ledgers: Iterable[Recorded], row_length: int, too_long: TooLong = TooLong.drop
) -> PackedRows:
    """Places ledgers into rows of ``row_length``; ``too_long`` says what becomes of longer ones.

    Raises:
        ValueError: ``row_length`` is below 2, or no ledger fits.
    """
    if row_length < 2:
        raise ValueError(f"row_length={row_length}: a row holds at least 2 tokens")
    parts = [_arrays(ledger, row_length, too_long) for ledger in ledgers]
    lengths = np.array([len(token_ids) for token_ids, _, _, _ in parts], np.int64)
    rows, offsets, places = first_fit(lengths, row_length)
    kept = np.flatnonzero(rows >= 0)
    if not len(kept):
        raise ValueError(
            f"row_length={row_length}: none of {len(parts)} trajectories fits "
            f"(shortest {min(lengths.tolist(), default=0)} tokens); raise data.row_length"
        )
    token_ids, roles, mask = (
        np.concatenate([parts[index][field] for index in kept]) for field in range(3)
    )
    lengths = lengths[kept]
    starts = np.cumsum(lengths) - lengths
    within = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    to = np.repeat(rows[kept].astype(np.int64) * row_length + offsets[kept], lengths) + within
    follows = within > 0  # every token but a trajectory's first is a target
    predictor = to[follows] - 1  # the position before it, in the same trajectory
    shape = (int(rows.max()) + 1, row_length)
    return PackedRows(
        token_ids=_scatter(shape, to, token_ids, np.int32),
        segment_ids=_scatter(shape, to, np.repeat(places[kept], lengths), np.int32),
        positions=_scatter(shape, to, within, np.int32),
        target_ids=_scatter(shape, predictor, token_ids[follows], np.int32),
        loss_mask=_scatter(shape, predictor, mask[follows], np.uint8),
        target_roles=_scatter(shape, predictor, roles[follows], np.int8),
        trajectory_rows=rows,
        trajectory_offsets=offsets,
        trajectory_cut=np.array([cut for _, _, _, cut in parts], np.int32),
    )


def _arrays(
    ledger: Recorded, row_length: int, too_long: TooLong
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Token ids, roles and mask, shortened where asked, and how many tokens that took away."""
    token_ids, roles, mask = ledger.token_ids, ledger.roles, ledger.loss_mask
    end = len(token_ids)
    if too_long is TooLong.cut and end > row_length:
        end = fitting_length(ledger.turns, mask, row_length) or end
    return token_ids[:end], roles[:end], mask[:end], len(token_ids) - end


def _scatter(
    shape: tuple[int, int], index: np.ndarray, values: np.ndarray, dtype: type
) -> np.ndarray:
    out = np.zeros(shape, dtype)
    out.reshape(-1)[index] = values
    return out


def cached(
    cache_dir: Path,
    identity: Mapping[str, str | int],
    row_length: int,
    ledgers: Callable[[], Iterable[Recorded]],
    too_long: TooLong = TooLong.drop,
) -> PackedRows:
    """``pack(ledgers(), row_length, too_long)``, kept on disk under what determines it.

    ``identity`` names the dataset, split, tokenizer, protocol and ledger version. A damaged
    cache is said so and made again.
    """
    key = dict(identity) | {"row_length": row_length, "packing_version": PACKING_VERSION}
    key |= {"too_long": too_long.value}
    path = Path(cache_dir) / hashlib.sha256(jsonl.encode(key)).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if path.is_dir():
            try:
                return load(path)
            except (ValueError, OSError) as problem:
                console.say(f"{path}: damaged cache of packed rows ({problem}); packing again")
                shutil.rmtree(path)
        packed = pack(ledgers(), row_length, too_long)
        save(packed, path, key)
        return packed


def save(packed: PackedRows, path: Path, identity: Mapping[str, str | int]) -> None:
    """Writes the folder ``path``, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _ARRAYS:
        np.save(partial / f"{name}.npy", getattr(packed, name))
    facts = {"identity": dict(identity), "counts": packed.counts}
    (partial / _COUNTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def load(path: Path) -> PackedRows:
    """Packed rows as read-only memory maps.

    Raises:
        ValueError: an array is damaged or does not fit the others.
    """
    arrays = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    packed = PackedRows(**arrays)
    facts = json.loads((path / _COUNTS).read_text(encoding="utf-8"))
    if packed.counts != facts["counts"]:
        raise ValueError(f"{path}: arrays do not match {_COUNTS}")
    return packed
