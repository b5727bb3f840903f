"""Where the seconds of an iteration go: rollouts, scores, optimizer steps."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from medr_jax.models.config import ModelConfig
from medr_jax.models.flops import forward_flops
from medr_jax.rl.rollout import Rollout
from medr_jax.training import pace

TIMINGS = (
    *("sample_s", "score_s", "update_s", "update_mfu", "rollouts_per_s"),
    *pace.TIMINGS,
)
"""Metrics that differ between runs that learn the same."""


class IterationPace:
    """Times an iteration. Its optimizer steps run while the host goes on, and have ended when the
    parameters that they make are there; that is asked just before these are sampled from.
    """

    def __init__(self, model: ModelConfig, peak_flops: float) -> None:
        """``peak_flops``: FLOP/s of all devices together, 0 where nobody knows it."""
        self._model, self._peak_flops = model, peak_flops
        self._spans: dict[str, float] = {}
        self._handed_over = 0.0  # when the first batch was; 0 = none was
        self._whole = False  # whether all since the iteration began was seen, without a pause
        self._flops = 0.0
        self._num_rollouts = 0

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Counts what happens meanwhile as ``name``."""
        start = time.perf_counter()
        yield
        self._spans[name] = time.perf_counter() - start

    def sampled(self, count: int) -> dict[str, float]:
        """Seconds of the spans of the iteration that has ``count`` rollouts."""
        self._num_rollouts, self._handed_over, self._flops = count, 0.0, 0.0
        self._whole = True
        return {name: round(seconds, 3) for name, seconds in self._spans.items()}

    def hand_over(self, rollouts: Sequence[Rollout]) -> None:
        """A batch of these goes to the optimizer now."""
        self._handed_over = self._handed_over or time.perf_counter()
        self._flops += sum(update_flops(self._model, rollout) for rollout in rollouts)

    def forget(self) -> None:
        """The run pauses, or goes on from a checkpoint: this update's time is not known."""
        self._whole = False

    def updated(self, params: Any) -> dict[str, float]:
        """Waits for the parameters that the update makes; its seconds, if they are known.

        ``rollouts_per_s``: of the whole iteration. ``update_mfu``: of its optimizer steps alone.
        """
        jax.block_until_ready(params)
        if not (self._whole and self._handed_over):
            return {}
        seconds = time.perf_counter() - self._handed_over
        whole = seconds + sum(self._spans.values())
        report = {
            "update_s": round(seconds, 3),
            "rollouts_per_s": round(self._num_rollouts / whole, 2),
        }
        if self._peak_flops:
            report["update_mfu"] = round(self._flops / (seconds * self._peak_flops), 4)
        return report


def update_flops(model: ModelConfig, rollout: Rollout) -> float:
    """FLOPs of training on one rollout: 3 forward passes, logits of the sampled tokens only."""
    fed = len(rollout.token_ids) - 1
    return 3 * forward_flops(model, fed, (fed + 1) / 2, rollout.num_sampled)
