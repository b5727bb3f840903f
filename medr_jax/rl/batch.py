"""Rollouts as packed rows: what a training step reads, and what comes back to each rollout."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from medr_jax.data import packing
from medr_jax.data.packing import PackedRows
from medr_jax.rl.config import Overlong, RLConfig
from medr_jax.rl.rollout import Rollout
from medr_jax.training.loop import Batch

INPUTS = ("token_ids", "positions", "segment_ids", "target_ids", "loss_mask")
BATCH_DTYPES = {
    **dict.fromkeys(INPUTS, np.int32),
    **dict.fromkeys(("advantages", "old_logprobs", "sampler_logprobs", "ref_logprobs"), np.float32),
}
"""What a training batch holds, each (R, T)."""


class Packed(NamedTuple):
    """Packed rollouts; row and offset of number n are ``rows.trajectory_rows/offsets[n]``."""

    rows: PackedRows
    rollouts: Sequence[Rollout]
    num_rows: int  # with rows of padding up to the size that is compiled

    def spread(self, values: Callable[[Rollout], np.ndarray | float], dtype: type) -> np.ndarray:
        """(R, T): each rollout's values of its tokens, at the positions that predict them."""
        out = np.zeros((self.num_rows, self.rows.token_ids.shape[1]), dtype)
        for rollout, row, offset in self._places():
            targets = np.broadcast_to(values(rollout), rollout.token_ids.shape)[1:]
            out[row, offset : offset + len(targets)] = targets
        return out

    def collect(self, values_RT: np.ndarray) -> list[np.ndarray]:
        """The way back: per rollout one value a token; nan for the first, which is no target."""
        return [
            np.concatenate(
                [[np.nan], values_RT[row, offset : offset + len(rollout.token_ids) - 1]]
            ).astype(np.float32)
            for rollout, row, offset in self._places()
        ]

    def pad(self, rows_RT: np.ndarray) -> np.ndarray:
        """With rows of zeros, which are padding, up to ``num_rows``."""
        missing = self.num_rows - len(rows_RT)
        return np.pad(np.asarray(rows_RT), ((0, missing), (0, 0)))

    def _places(self):
        rows = self.rows.trajectory_rows.tolist()
        return zip(self.rollouts, rows, self.rows.trajectory_offsets.tolist(), strict=True)


def pack(rollouts: Sequence[Rollout], config: RLConfig, most: int) -> Packed:
    """Packs at most ``most`` rollouts into rows of ``rl.row_length``.

    The number of rows is what they would need if each filled one, whole micro-batches: always
    the same, so that one shape is compiled. Micro-batches of padding only are not computed.

    Raises:
        ValueError: a rollout is longer than a row.
    """
    rows = packing.pack(rollouts, config.row_length)
    if too_long := int(np.sum(rows.trajectory_rows < 0)):
        raise ValueError(
            f"{too_long} of {len(rollouts)} rollouts are longer than rl.row_length="
            f"{config.row_length}; raise it to agent.max_total_tokens"
        )
    return Packed(rows, rollouts, -(-most // config.micro_rows) * config.micro_rows)


def padding_share(packed: Packed, config: RLConfig) -> float:
    """Share of the computed places that hold no token."""
    rows = -(-packed.rows.num_rows // config.micro_rows) * config.micro_rows
    return 1.0 - packed.rows.num_tokens / (rows * config.row_length)


def model_inputs(packed: Packed) -> Batch:
    """What the model reads, and which of its predictions were sampled."""
    rows = packed.rows
    return {name: packed.pad(getattr(rows, name)).astype(np.int32) for name in INPUTS}


def training_batch(rollouts: Sequence[Rollout], config: RLConfig) -> Batch:
    """The arrays that ``loss.policy_loss`` reads, (R, T); rollouts must have advantages.

    Rollouts that our side failed are left out; so are dead groups and truncated rollouts where
    the config says so. What is left out is in no denominator.
    """
    kept = [rollout for rollout in rollouts if in_loss(rollout, config)]
    # Rows that nothing is trained on rather than none: the step's shapes need some.
    packed = pack(kept or list(rollouts)[:1], config, len(rollouts))
    batch = model_inputs(packed)
    if not kept:
        batch["loss_mask"] = np.zeros_like(batch["loss_mask"])
    return batch | {
        "advantages": packed.spread(lambda rollout: rollout.token_advantages, np.float32),
        "old_logprobs": packed.spread(lambda one: _known(one.old_logprobs), np.float32),
        "sampler_logprobs": packed.spread(lambda one: one.logprobs, np.float32),
        "ref_logprobs": packed.spread(lambda one: _known(one.ref_logprobs), np.float32),
    }


def in_loss(rollout: Rollout, config: RLConfig) -> bool:
    """Whether a rollout is trained on."""
    if not rollout.valid or (config.overlong is Overlong.filter and rollout.truncated):
        return False
    return rollout.informative or not config.drop_dead_groups


def _known(logprobs: np.ndarray | None) -> np.ndarray | float:
    """nan where nobody measured: it would show if it got into a loss."""
    return np.nan if logprobs is None else logprobs
