"""Rollouts of agents that cost money: run many at once, each kept the moment it ends.

They are lines of one append-only file. A rollout counts as finished unless our side or the
endpoint failed; failures are lines, too, for what they cost, and are run again. A process that
is killed loses the rollouts under way and nothing else.
"""

import concurrent.futures
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import filelock

from medr_jax import jsonl
from medr_jax.agent.drivers import Tools, run_sequential
from medr_jax.agent.loop import NextTurn, TextEpisode
from medr_jax.endpoint.errors import EndpointStop
from medr_jax.endpoint.usage import Usage
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.types import Record, Status, Trajectory

RETRIED = frozenset({Status.INFRA_ERROR, Status.TIMEOUT})
"""Ends that say nothing about the agent."""


class RolloutKey(Record):
    """What a rollout is the outcome of."""

    question_id: str
    agent: str  # a model or a named setting of one
    identity: str  # hash of everything else it depends on: prompt, tools, limits, benchmark
    rollout: int = 0  # of several on one question


class Rollout(Record):
    """An outcome; a line of the file. ``trajectory`` is None for a failure."""

    key: RolloutKey
    status: Status
    trajectory: Trajectory | None = None
    error: str = ""
    usage: Usage = Usage()
    context_tokens: int = 0  # of the whole conversation, as the endpoint counts; 0 = not told
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it need not be run again."""
        return self.status not in RETRIED


class Policy(Protocol):
    """A text policy that says what it cost."""

    usage: Usage
    context_tokens: int

    def __call__(self, request: NextTurn) -> ParsedTurn:
        """The next turn."""


@dataclass(frozen=True, slots=True)
class Job:
    """A rollout to run. ``run`` raises EndpointStop when the whole job cannot go on."""

    key: RolloutKey
    run: Callable[[], Rollout]


class RolloutStore:
    """The file of rollouts; one process at a time.

    Raises:
        ValueError: another process writes it, or a line other than a torn last one is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.path.with_suffix(".lock"))
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ValueError(f"{path}: another process is writing it; wait for it to end") from None
        self.finished: dict[RolloutKey, Rollout] = {}
        self.failures: dict[RolloutKey, Rollout] = {}  # the latest of what is not finished
        self._usage: dict[RolloutKey, Usage] = {}
        try:
            self._load()
        except ValueError:
            self._lock.release()
            raise
        self._out = self.path.open("ab")

    def __enter__(self) -> "RolloutStore":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets other processes write."""
        self._out.close()
        self._lock.release()

    def add(self, rollout: Rollout) -> None:
        """Appends a rollout; it is on the disk when this returns."""
        assert rollout.key not in self.finished, f"{rollout.key} ran twice"
        self._out.write(jsonl.encode(rollout) + b"\n")
        self._out.flush()
        os.fsync(self._out.fileno())
        self._note(rollout)

    def missing(self, keys: Iterable[RolloutKey]) -> list[RolloutKey]:
        """Keys without a finished rollout, in their order."""
        return [key for key in keys if key not in self.finished]

    def usage(self, keys: Iterable[RolloutKey]) -> Usage:
        """What these rollouts cost so far, failures included."""
        return sum((self._usage.get(key, Usage()) for key in keys), Usage())

    def _note(self, rollout: Rollout) -> None:
        self._usage[rollout.key] = self._usage.get(rollout.key, Usage()) + rollout.usage
        if rollout.finished:
            self.finished[rollout.key] = rollout
            self.failures.pop(rollout.key, None)
        else:
            self.failures[rollout.key] = rollout

    def _load(self) -> None:
        if not self.path.exists():
            return
        jsonl.drop_torn_line(self.path)  # torn by a kill: never finished, so it is run again
        for rollout in jsonl.read(self.path, Rollout):
            if rollout.key in self.finished:
                raise ValueError(f"{self.path}: {rollout.key} is there twice; delete one line")
            self._note(rollout)


def run_jobs(
    jobs: Sequence[Job],
    store: RolloutStore,
    *,
    concurrency: int,
    rounds: int = 1,
    stop: Callable[[], object] = lambda: None,
    advance: Callable[[int], object] = lambda done: None,
) -> None:
    """Runs what the store lacks; what failed is run again in each further round.

    An error that ends the job (a budget that is spent, a key that is refused) is raised once
    the rollouts under way are in the store. ``stop`` ends those early; it is called when this
    process is interrupted.
    """
    advance(len(jobs) - len(store.missing(job.key for job in jobs)))
    for _ in range(rounds):
        left = set(store.missing(job.key for job in jobs))
        if not left:
            return
        _run_round([job for job in jobs if job.key in left], store, concurrency, stop, advance)


def _run_round(
    jobs: Sequence[Job],
    store: RolloutStore,
    concurrency: int,
    stop: Callable[[], object],
    advance: Callable[[int], object],
) -> None:
    fatal: BaseException | None = None
    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        futures = {pool.submit(job.run): job.key for job in jobs}
        try:
            for future in concurrent.futures.as_completed(futures):
                if future.cancelled():
                    continue
                if problem := future.exception():
                    fatal = fatal or problem
                    for waiting in futures:
                        waiting.cancel()
                    if isinstance(problem, EndpointStop):
                        store.add(_failure(futures[future], problem))
                    continue
                store.add(future.result())
                advance(int(future.result().finished))
        except BaseException:
            for waiting in futures:
                waiting.cancel()
            stop()
            raise
    if fatal is not None:
        raise fatal


def play(key: RolloutKey, episode: TextEpisode, policy: Policy, tools: Tools) -> Rollout:
    """Runs an episode of a policy behind an endpoint.

    Raises:
        EndpointStop: the whole job cannot go on; it carries what this rollout cost until then.
    """
    try:
        trajectory = run_sequential(episode, policy, tools)
    except EndpointStop as stop:
        stop.usage = policy.usage
        raise
    finished = trajectory.status not in RETRIED
    return Rollout(
        key=key,
        status=trajectory.status,
        trajectory=trajectory if finished else None,
        error=trajectory.error,
        usage=policy.usage,
        context_tokens=policy.context_tokens,
    )


def _failure(key: RolloutKey, stop: EndpointStop) -> Rollout:
    return Rollout(key=key, status=Status.INFRA_ERROR, error=str(stop), usage=stop.usage)


def check_failures(store: RolloutStore, keys: Iterable[RolloutKey], max_failed: int) -> None:
    """Refuses to go on with too many rollouts that failed on our side.

    Raises:
        ValueError: says how many, why, and that finished ones are kept.
    """
    failed = [store.failures[key] for key in store.missing(keys) if key in store.failures]
    if len(failed) <= max_failed:
        return
    reasons = Counter(f"{one.status}: {one.error[:160]}" for one in failed)
    (reason, count), *_ = reasons.most_common(1)
    raise ValueError(
        f"{len(failed)} rollouts failed on the endpoint's side and were not graded, most often "
        f"({count}) with {reason}; run the same command again to try only these, finished ones "
        f"are kept in {store.path}"
    )
