"""The study's numbers: each arm's shares, and paired differences between arms."""

from collections.abc import Callable, Mapping, Sequence

from medr_jax.eval.statistics import Cell, hierarchical_bootstrap
from medr_jax.launch.study.answers import Answered, Mark
from medr_jax.launch.study.config import ARMS, COMPARISONS
from medr_jax.types import Record

NOT_RUN = "not run"


class Cost(Record):
    """What training an arm took, SFT included, as mean over its seeds."""

    steps: float
    tokens: float  # trained on, padding left out
    cpu_s: float | None  # of all threads of the process; None where it was not measured


class ArmResult(Record):
    """An arm over the seeds that are finished. ``cells``: name of the measure -> number."""

    arm: str
    label: str
    seeds: tuple[int, ...]
    cells: dict[str, Cell]
    cost: Cost | None


class Difference(Record):
    """Arm minus other arm, over the seeds that both have finished."""

    arm: str
    other: str
    seeds: tuple[int, ...]
    cells: dict[str, Cell]


class Finished(Record):
    """One arm trained with one seed, and asked."""

    cost: Cost
    answers: tuple[Answered, ...]


def _sampled(value: Callable[[Mark], float]) -> Callable[[Answered], float]:
    return lambda asked: sum(map(value, asked.sampled)) / len(asked.sampled)


MEASURES: dict[str, Callable[[Answered], float]] = {
    "greedy": lambda asked: asked.greedy.right,
    "sampled": _sampled(lambda mark: mark.right),
    "sampled, supported": _sampled(lambda mark: mark.supported),
    "tool calls": _sampled(lambda mark: mark.tool_calls),
    "tokens": _sampled(lambda mark: mark.tokens),
}
"""By question. Sampled: the mean over its samples, so its mean over questions is pass@1."""

PAIRED = ("greedy", "sampled", "sampled, supported", "tool calls")

Results = Mapping[str, Mapping[int, Finished]]
"""Arm -> seed -> what is finished."""


def arm_results(results: Results, arms: Sequence[str]) -> list[ArmResult]:
    """A row for each arm asked for, finished or not."""
    return [_arm(name, results.get(name, {})) for name in arms]


def differences(results: Results, arms: Sequence[str]) -> list[Difference]:
    """Those of ``COMPARISONS`` whose arms are both asked for.

    Raises:
        ValueError: two arms were asked different questions.
    """
    return [
        _difference(results, one, other)
        for one, other in COMPARISONS
        if one in arms and other in arms
    ]


def _arm(name: str, by_seed: Mapping[int, Finished]) -> ArmResult:
    cells, cost = {}, None
    if by_seed:
        cells = {
            measure: hierarchical_bootstrap(_scores(by_seed, value))
            for measure, value in MEASURES.items()
        }
        cost = _mean_cost([one.cost for one in by_seed.values()])
    return ArmResult(
        arm=name, label=ARMS[name].label, seeds=tuple(sorted(by_seed)), cells=cells, cost=cost
    )


def _difference(results: Results, one: str, other: str) -> Difference:
    first, second = results.get(one, {}), results.get(other, {})
    seeds = tuple(sorted(first.keys() & second.keys()))
    cells = {}
    for measure in PAIRED if seeds else ():
        a, b = (
            _scores({seed: found[seed] for seed in seeds}, MEASURES[measure])
            for found in (first, second)
        )
        if a.keys() != b.keys():
            raise ValueError(f"{one} and {other} were not asked the same questions")
        cells[measure] = hierarchical_bootstrap({key: a[key] - b[key] for key in a})
    return Difference(arm=one, other=other, seeds=seeds, cells=cells)


def _scores(
    by_seed: Mapping[int, Finished], value: Callable[[Answered], float]
) -> dict[tuple[str, str, str], float]:
    return {
        (str(seed), asked.family, asked.question_id): float(value(asked))
        for seed, finished in by_seed.items()
        for asked in finished.answers
    }


def _mean_cost(costs: Sequence[Cost]) -> Cost:
    measured = [cost.cpu_s for cost in costs if cost.cpu_s is not None]
    return Cost(
        steps=sum(cost.steps for cost in costs) / len(costs),
        tokens=sum(cost.tokens for cost in costs) / len(costs),
        cpu_s=sum(measured) / len(measured) if len(measured) == len(costs) else None,
    )


def markdown(arms: Sequence[ArmResult], found: Sequence[Difference]) -> str:
    """Both tables; 95% intervals by hierarchical bootstrap."""
    lines = [
        "| arm | seeds | questions | " + " | ".join(MEASURES) + " | steps | tokens | CPU s |",
        "|---|---:|---:|" + "---:|" * (len(MEASURES) + 3),
        *map(_arm_row, arms),
        "",
        "| arm | compared with | seeds | " + " | ".join(PAIRED) + " |",
        "|---|---|---:|" + "---:|" * len(PAIRED),
        *map(_difference_row, found),
    ]
    return "\n".join(lines) + "\n"


def _arm_row(arm: ArmResult) -> str:
    questions = max((cell.n for cell in arm.cells.values()), default=0)
    cells = [_shown(arm.cells.get(name), ".3f") for name in MEASURES]
    cost = ["–"] * 3
    if arm.cost is not None:
        cpu = "–" if arm.cost.cpu_s is None else f"{arm.cost.cpu_s:,.0f}"
        cost = [f"{arm.cost.steps:,.0f}", f"{arm.cost.tokens:,.0f}", cpu]
    return _row([arm.label, str(len(arm.seeds)), str(questions or "–"), *cells, *cost])


def _difference_row(one: Difference) -> str:
    cells = [_shown(one.cells.get(name), "+.3f") for name in PAIRED]
    return _row([ARMS[one.arm].label, ARMS[one.other].label, str(len(one.seeds)), *cells])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(cell: Cell | None, form: str) -> str:
    if cell is None or cell.value is None:
        return NOT_RUN
    return f"{cell.value:{form}} [{cell.low:{form}}, {cell.high:{form}}]"
