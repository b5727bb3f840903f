"""How hard questions are: a ladder of solvers, from no tools to search without limit."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from medr_jax import console
from medr_jax.agent.drivers import Tools, run_sequential
from medr_jax.agent.loop import AgentLimits, text_episode
from medr_jax.eval import baselines, solvers, statistics
from medr_jax.eval.baselines import PolicyFactory
from medr_jax.eval.metrics import Result
from medr_jax.eval.tables import Row, Table
from medr_jax.grading import match
from medr_jax.trajectories.difficulty import Measured
from medr_jax.types import Question

MAJORITY, ONE_SHOT, TWO_SHOT, CHAIN_BLIND = "majority", "one_shot", "two_shot", "chain_blind"
SOLVERS = (MAJORITY, ONE_SHOT, TWO_SHOT, CHAIN_BLIND)
LABELS = {
    MAJORITY: "majority answer per relation, no tools",
    ONE_SHOT: "one search with the question's text",
    TWO_SHOT: "two searches",
    CHAIN_BLIND: "search without limit (knows the wording, not the chain)",
}


def measure(
    questions: Sequence[Question],
    names: Sequence[str],
    tools: Tools,
    *,
    training: Sequence[Question],
    others: Mapping[str, Mapping[str, float]],
) -> list[Measured]:
    """Lets each solver of ``names`` answer every question once.

    ``others`` are solvers that were run elsewhere: name -> question id -> share of right tries. A
    question that one of them was not asked has no entry of it.

    Raises:
        ValueError: an unknown solver.
    """
    if unknown := sorted(set(names) - set(SOLVERS)):
        raise ValueError(f"solvers={unknown}: choose from {', '.join(SOLVERS)}")
    solved: list[dict[str, float]] = [{} for _ in questions]
    for name in names:
        factory = _factory(name, training)
        limits = AgentLimits(max_turns=solvers.MAX_TURNS)
        for question, found in zip(
            console.track(questions, f"questions: {name}"), solved, strict=True
        ):
            episode = text_episode(question, limits, policy=name)
            answer = run_sequential(episode, factory(question), tools).answer
            right = answer is not None and match.is_correct(answer.text, question)
            found[name] = float(right)
    for name, rates in others.items():
        for question, found in zip(questions, solved, strict=True):
            if question.question_id in rates:
                found[name] = rates[question.question_id]
    return [
        Measured(
            question_id=question.question_id,
            split=question.split,
            num_hops=question.num_hops,
            answer_kind=str(question.answer_kind),
            solved=found,
        )
        for question, found in zip(questions, solved, strict=True)
    ]


def rates(results: Iterable[Result]) -> dict[str, float]:
    """Share of right tries by question id; tries that failed on our side do not count."""
    tries: dict[str, list[bool]] = {}
    for result in results:
        if not result.infra_failed:
            tries.setdefault(result.question.question_id, []).append(result.correct)
    return {question_id: sum(found) / len(found) for question_id, found in tries.items()}


def tables(measured: Sequence[Measured]) -> list[Table]:
    """Shares solved by hops and by answer kind, and what is left by the two-shot retriever."""
    found = [
        _by(measured, lambda one: one.num_hops, "Solved, by number of hops", _hops),
        _by(measured, lambda one: one.answer_kind, "Solved, by kind of answer", str),
    ]
    if all(TWO_SHOT in one.solved and CHAIN_BLIND in one.solved for one in measured):
        found.append(_hard(measured))
    return found


def _factory(name: str, training: Sequence[Question]) -> PolicyFactory:
    if name == MAJORITY:
        return baselines.majority(training)
    return {
        ONE_SHOT: baselines.top_hit,
        TWO_SHOT: solvers.two_shot,
        CHAIN_BLIND: solvers.chain_blind,
    }[name]


def _by(
    measured: Sequence[Measured],
    key: Callable[[Measured], int | str],
    title: str,
    said: Callable[[int | str], str],
) -> Table:
    groups: dict[int | str, list[Measured]] = {}
    for one in sorted(measured, key=key):
        groups.setdefault(key(one), []).append(one)
    names = dict.fromkeys(itertools.chain(SOLVERS, *(one.solved for one in measured)))
    columns = [*groups.values(), list(measured)]
    return Table(
        title=title,
        columns=(*map(said, groups), "all"),
        rows=tuple(
            Row(
                label=LABELS.get(name, name),
                cells=tuple(_share(name, column) for column in columns),
            )
            for name in names
        ),
        notes=("Beside each share its 95% interval and n, the questions it rests on.",),
    )


def _share(name: str, rows: Sequence[Measured]) -> statistics.Cell | None:
    tries = [one.solved[name] for one in rows if name in one.solved]
    if not tries:
        return None
    if all(one in (0, 1) for one in tries):
        return statistics.wilson(int(sum(tries)), len(tries))
    return statistics.bootstrap_ratio(tries, [1.0] * len(tries))


def _hard(measured: Sequence[Measured]) -> Table:
    """Of the questions that beat two searches, how many the chain-blind agent solves."""
    hops = sorted({one.num_hops for one in measured})
    columns = [*([one for one in measured if one.num_hops == hop] for hop in hops), measured]
    hard = [[one for one in rows if one.solved[TWO_SHOT] < 0.5] for rows in columns]
    return Table(
        title="Hard, not obscure",
        columns=(*map(_hops, hops), "all"),
        rows=(
            Row(
                label="questions that beat two searches",
                cells=tuple(
                    statistics.wilson(len(left), len(rows))
                    for left, rows in zip(hard, columns, strict=True)
                ),
            ),
            Row(
                label="of these, solved by search without limit",
                cells=tuple(_share(CHAIN_BLIND, left) or statistics.EMPTY for left in hard),
            ),
        ),
    )


def _hops(hops: int | str) -> str:
    return "1 hop" if hops == 1 else f"{hops} hops"
