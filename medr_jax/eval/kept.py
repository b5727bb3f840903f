"""Rollouts of an evaluation that is under way, kept so that a killed one goes on."""

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from medr_jax import jsonl
from medr_jax.agent.rollouts import RETRIED
from medr_jax.types import Question, Record, Trajectory

T = TypeVar("T")

Keep = Callable[[Trajectory], object]


class KeptRollout(Record):
    """A line of the file."""

    trajectory: Trajectory
    seconds: float  # since the line before, or since the process began to run the agent


class KeptRollouts:
    """The rollouts of one agent in one setting; an append-only file until results are written.

    What failed on our side is not kept, so that it is run again. Lines are flushed, not
    synchronised: they survive the process, and need not survive the machine.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        """``identity``: of agent, setting and questions; other rollouts are not looked at."""
        self._path = folder / f"kept-{identity}.partial"
        jsonl.drop_torn_line(self._path)
        self.trajectories: dict[str, Trajectory] = {}
        self.seconds = 0.0  # of all kept rollouts, over all processes
        for line in jsonl.read(self._path, KeptRollout) if self._path.exists() else ():
            self.trajectories[line.trajectory.question.question_id] = line.trajectory
            self.seconds += line.seconds
        self._last = time.perf_counter()
        self._out: BinaryIO | None = None  # opened by the first rollout that ends

    def complete(
        self,
        questions: Sequence[Question],
        roll_out: Callable[[Sequence[Question], Keep], list[Trajectory]],
    ) -> list[Trajectory]:
        """The rollouts of all questions, in order: ``roll_out`` runs those that are not kept."""
        left = [one for one in questions if one.question_id not in self.trajectories]
        with contextlib.ExitStack() as self._open:
            ran = roll_out(left, self.add)
        self._out = None
        found = {one.question.question_id: one for one in (*self.trajectories.values(), *ran)}
        self.seconds += time.perf_counter() - self._last
        return [found[one.question_id] for one in questions]

    def add(self, trajectory: Trajectory) -> None:
        """Appends a rollout that ended."""
        if trajectory.status in RETRIED:
            return
        now = time.perf_counter()
        line = KeptRollout(trajectory=trajectory, seconds=now - self._last)
        if self._out is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._open.enter_context(self._path.open("ab"))
        self._out.write(jsonl.encode(line) + b"\n")
        self._out.flush()
        self.seconds, self._last = self.seconds + line.seconds, now

    def forget(self) -> None:
        """Deletes the file, once results hold what it held."""
        self._path.unlink(missing_ok=True)


def keeping(episode: Generator[Any, Any, T], keep: Callable[[T], object]) -> Generator[Any, Any, T]:
    """The same episode; ``keep`` gets its outcome the moment it ends."""
    outcome = yield from episode
    keep(outcome)
    return outcome
