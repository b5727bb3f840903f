"""Whether a loss is out of line with those before it."""

import math
import statistics
from collections import deque
from collections.abc import Sequence

WINDOW = 32
"""Losses that a new one is compared with; fewer are too few to judge."""


class LossHistory:
    """The last losses. ``factor``: how many times their median is a spike; 0 = never."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._recent: deque[float] = deque(maxlen=WINDOW)

    def problem(self, loss: float, grad_norm: float) -> str:
        """What is wrong with a step's numbers, "" when nothing is; a sound loss is remembered."""
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            return f"loss {loss}, gradient norm {grad_norm}"
        if self._factor and len(self._recent) == WINDOW:
            usual = statistics.median(self._recent)
            if loss > self._factor * usual > 0:
                return (
                    f"loss {loss:.4g}, more than watch.spike_factor={self._factor:g} times the "
                    f"median of the last {WINDOW} ({usual:.4g})"
                )
        self._recent.append(loss)
        return ""

    def get_state(self) -> list[float]:
        """JSON for ``set_state``."""
        return list(self._recent)

    def set_state(self, losses: Sequence[float]) -> None:
        """Goes on after these losses."""
        self._recent = deque(losses, maxlen=WINDOW)
