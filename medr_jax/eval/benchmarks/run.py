"""An agent on a benchmark: items as questions, answers graded, counted by group.

Results hold identifiers, grades and costs; no text of a question, an answer or a gold answer.
"""

import hashlib
import string
from collections.abc import Mapping, Sequence

from medr_jax.eval import statistics
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.eval.statistics import Cell
from medr_jax.eval.tables import Row, Table
from medr_jax.grading.answers import VERDICTS
from medr_jax.grading.grade import Grade
from medr_jax.grading.judge import Judge
from medr_jax.types import Chain, Kind, Question, Record, Status, Trajectory

_OUR_FAULT = frozenset({Status.INFRA_ERROR, Status.TIMEOUT})
MAX_GROUPS = 12
"""Values of a group that become columns; a group with more is left out of the table."""


class BenchmarkResult(Record):
    """One graded answer; a line of results.jsonl."""

    item_id: str
    groups: dict[str, str]
    status: Status  # how the rollout ended
    grade: Grade
    num_calls: int

    @property
    def infra_failed(self) -> bool:
        """Our side, the endpoint or the judge failed: nothing is known about the answer."""
        return self.status in _OUR_FAULT or self.grade.status in _OUR_FAULT


class BenchmarkSummary(Record):
    """What one agent reached."""

    agent: str
    benchmark: str
    version: str  # content hash of all items of the file
    subset: str
    accuracy: dict[str, Cell]  # "all", "level=1", ...
    score: Cell  # with partial credit, where the benchmark gives any
    num_calls: Cell
    majority: Cell  # the most frequent gold answer, always given
    num_questions: int
    num_infra_failed: int  # in no denominator
    judge: str = ""  # model and version of instructions; "" = by rule alone
    seconds: float = 0.0


def sample(items: Sequence[BenchmarkItem], count: int, seed: int) -> list[BenchmarkItem]:
    """``count`` items by a seeded hash of their ids, whatever their order; 0 takes all."""
    if not count:
        return list(items)

    def order(item: BenchmarkItem) -> str:
        return hashlib.sha256(f"{seed}:{item.item_id}".encode()).hexdigest()

    return sorted(items, key=order)[:count]


def as_question(item: BenchmarkItem, *, passages: bool = True) -> Question:
    """What an agent is asked; it never holds the gold answer.

    ``passages``: the texts that come with a question stand before it.
    """
    parts = list(item.context) if passages else []
    parts.append(item.question)
    parts += [
        f"{letter}. {option}"
        for letter, option in zip(string.ascii_uppercase, item.options, strict=False)
    ]
    if item.options:
        parts.append("Answer with the letter of one option.")
    elif item.gold.lower() in VERDICTS and item.kind == "yes_no":
        parts.append("Answer yes, no or maybe.")
    return Question(
        question_id=item.item_id,
        text="\n".join(parts),
        chain=Chain(clues=(), hops=(), seed_id=""),
        num_hops=0,
        answer="",
        answer_id="",
        answer_kind=Kind.DISEASE,
        split="test",
    )


def graded(
    benchmark: Benchmark, item: BenchmarkItem, trajectory: Trajectory, judge: Judge | None = None
) -> BenchmarkResult:
    """One rollout's result. A rollout without an answer is wrong, and no judge is asked."""
    said = trajectory.answer.text if trajectory.answer else ""
    if not said.strip():
        grade = Grade.of(False, "no answer")
    elif judge and benchmark.judged:
        grade = benchmark.judged(judge, item, said)
    else:
        grade = benchmark.grade(item, said)
    return BenchmarkResult(
        item_id=item.item_id,
        groups=item.groups,
        status=trajectory.status,
        grade=grade,
        num_calls=trajectory.num_tool_calls,
    )


def summarize(
    agent: str,
    benchmark: Benchmark,
    results: Sequence[BenchmarkResult],
    *,
    golds: Sequence[str],
    version: str,
    subset: str,
    judge: str = "",
    seconds: float = 0.0,
) -> BenchmarkSummary:
    """Shares with intervals, over what was graded."""
    known = [result for result in results if not result.infra_failed]
    groups: dict[str, list[bool]] = {"all": []}
    for result in known:
        names = ("all", *(f"{name}={value}" for name, value in sorted(result.groups.items())))
        for name in names:
            groups.setdefault(name, []).append(result.grade.correct)
    return BenchmarkSummary(
        agent=agent,
        benchmark=benchmark.name,
        version=version,
        subset=subset,
        accuracy={
            name: statistics.wilson(sum(right), len(right)) for name, right in groups.items()
        },
        score=statistics.bootstrap_mean([result.grade.score for result in known]),
        num_calls=statistics.bootstrap_mean([result.num_calls for result in known]),
        majority=statistics.majority(golds),
        num_questions=len(results),
        num_infra_failed=len(results) - len(known),
        judge=judge,
        seconds=round(seconds, 3),
    )


def table(benchmark: Benchmark, summaries: Sequence[BenchmarkSummary]) -> Table:
    """All agents on one benchmark, the majority answer above them."""
    first = summaries[0]
    groups = _shown_groups(summaries)
    majority = Row(
        label="most frequent gold answer", cells=(first.majority, None, *(None for _ in groups))
    )
    rows = [
        Row(label=one.agent, cells=(one.accuracy["all"], one.num_calls, *_cells(one, groups)))
        for one in summaries
    ]
    failed = sum(one.num_infra_failed for one in summaries)
    judge = f"Judge: {first.judge}." if first.judge else "No judge."
    return Table(
        title=f"{benchmark.name}, {first.subset}, {first.num_questions} questions",
        columns=("accuracy", "tool calls", *groups),
        rows=(majority, *rows),
        counts=(False, True, *(False for _ in groups)),
        notes=(
            f"{benchmark.source}; version {first.version}. Graded by {benchmark.rule}. {judge}",
            f"{failed} answers could not be had or judged; they are in no denominator.",
        ),
    )


def _shown_groups(summaries: Sequence[BenchmarkSummary]) -> list[str]:
    names = sorted({name for one in summaries for name in one.accuracy if name != "all"})
    kinds: dict[str, int] = {}
    for name in names:
        kind = name.partition("=")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return [name for name in names if 1 < kinds[name.partition("=")[0]] <= MAX_GROUPS]


def _cells(summary: BenchmarkSummary, groups: Sequence[str]) -> list[Cell]:
    accuracy: Mapping[str, Cell] = summary.accuracy
    return [accuracy.get(name, statistics.EMPTY) for name in groups]
