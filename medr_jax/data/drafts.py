"""Questions drafted from seeds by the crew, as they are wanted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from medr_jax import jsonl
from medr_jax.questions.config import CHAINS
from medr_jax.questions.generate import seed_entities
from medr_jax.questions.select import Cell
from medr_jax.trajectories.crew import Crew, Job, finished
from medr_jax.trajectories.workshop import Drafted, DraftJob, Workshop
from medr_jax.types import Question, Record

JOBS_PER_WAVE = 8
"""Shards of seeds between two looks at which questions are still wanted."""


class Drafts:
    """Questions of a split's seeds, drafted in waves as they are asked for.

    What a wave leaves out depends on the seeds before it, never on the number of workers.
    """

    def __init__(
        self,
        workshop: Workshop,
        crew: Crew,
        work: Path,
        split: str,
        advance: Callable[[int], None],
        form: str = CHAINS,
    ) -> None:
        config = workshop.setup.questions.for_chains()
        self.seeds: list[str] = []
        if form != CHAINS:
            self.seeds = workshop.form_maker.seeds(form, split)
        elif config.size(split):
            self.seeds = seed_entities(workshop.graph, config, split, workshop.splits)
        self.rejections: Counter[str] = Counter()
        self._seeds_per_job = workshop.setup.synthesis.seeds_per_job
        self._crew, self._work, self._split, self._advance = crew, work, split, advance
        self._form = form
        self._ready: dict[str, tuple[Question, ...]] = {}
        self._num_jobs = 0

    def make(self, seed: str, closed: frozenset[Cell] = frozenset()) -> tuple[Question, ...]:
        """The seed's questions; those of closed cells may be among them."""
        if seed not in self._ready:
            self._draft_wave(self.seeds.index(seed), closed)
        return self._ready.pop(seed)

    def _draft_wave(self, first: int, closed: frozenset[Cell]) -> None:
        seeds = self.seeds[first : first + JOBS_PER_WAVE * self._seeds_per_job]
        jobs = []
        for part in parts_of(seeds, self._seeds_per_job):
            path = self._work / f"drafts-{self._split}-{self._form}-{self._num_jobs:05d}.json"
            jobs.append(
                DraftJob(
                    path=str(path),
                    split=self._split,
                    seeds=part,
                    closed=tuple(sorted(closed)),
                    form=self._form,
                )
            )
            self._num_jobs += 1
        results = run_jobs(self._crew, jobs, Drafted, self._advance)
        for job in jobs:
            drafted = results[job.path]
            self._ready.update(zip(job.seeds, drafted.questions, strict=True))
            self.rejections.update(drafted.rejections)


def run_jobs(
    crew: Crew, jobs: Sequence[Job], record_type: type[Record], advance: Callable[[int], None]
) -> dict[str, Any]:
    """Results by path; jobs whose result is there already are not run again."""
    results = {job.path: finished(Path(job.path), record_type) for job in jobs}
    missing = [job for job in jobs if results[job.path] is None]
    advance(sum(job.size for job in jobs) - sum(job.size for job in missing))
    crew.run(missing, advance)
    for job in missing:
        (results[job.path],) = jsonl.read(job.path, record_type)
    return results


def parts_of(items: Sequence, size: int) -> Iterator[tuple]:
    """Consecutive parts of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
