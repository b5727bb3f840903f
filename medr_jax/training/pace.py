"""How fast a run goes: tokens per second, MFU, and when it will be over."""

import statistics
import time
from collections import deque
from collections.abc import Mapping

TIMINGS = ("tokens_per_s", "mfu", "eta_s", "cpu_s")
"""Metrics that differ between runs that learn the same."""

RECENT = 20


class Pace:
    """Times steps; pauses between ``restart`` and the one before it do not count.

    MFU = FLOPs of the step's tokens / (seconds * peak FLOP/s): ``models.flops`` has the formula.
    """

    def __init__(self, num_steps: int, flops_per_token: float, peak_flops: float) -> None:
        self._num_steps = num_steps
        self._flops_per_token = flops_per_token
        self._peak_flops = peak_flops
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.restart()

    def restart(self) -> None:
        """What comes next starts now."""
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def step(self, number: int, tokens: int) -> dict[str, float]:
        """Timings of the step that ended now; ``mfu`` only where the FLOPs are known.

        ``cpu_s``: CPU seconds of all threads of the process.
        """
        now, cpu = time.perf_counter(), time.process_time()
        cpu_s, self._cpu = cpu - self._cpu, cpu
        seconds, self._clock = now - self._clock, now
        self._recent.append(seconds)
        timings = {"tokens_per_s": round(tokens / seconds, 1), "cpu_s": round(cpu_s, 3)}
        if self._flops_per_token and self._peak_flops:
            flops = self._flops_per_token * tokens
            timings["mfu"] = round(flops / (seconds * self._peak_flops), 4)
        left = self._num_steps - number
        return timings | {"eta_s": round(left * statistics.median(self._recent), 1)}


def note(values: Mapping[str, float]) -> str:
    """A step's line beside the progress bar, which shows the time that is left."""
    mfu = f"  MFU {values['mfu']:.1%}" if "mfu" in values else ""
    return f"loss {values['loss']:.3f}  {values['tokens_per_s']:,.0f} tokens/s{mfu}"
