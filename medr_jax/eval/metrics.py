"""What one rollout achieved, and what a set of them says about an agent."""

from collections.abc import Sequence

from medr_jax.eval import errors, statistics
from medr_jax.eval.statistics import Cell
from medr_jax.grading import evidence, match
from medr_jax.grading.evidence import DocumentText
from medr_jax.types import OPEN_KINDS, Question, Record, Status, Trajectory, Turn

METRICS = {
    "exact_match": "exact match",
    "supported_match": "evidence-supported exact match",
    "citation_precision": "citations that state the answer",
    "call_validity": "valid tool calls",
    "num_calls": "tool calls used",
    "next_entity": "queries that hit the next entity",
    "words_written": "words written",
    "words_read": "words read",
}
"""Metric -> how a table names it."""

QUERY_TOOL = "search"

_OUR_FAULT = frozenset({Status.INFRA_ERROR, Status.TIMEOUT})


class Result(Record):
    """One rollout with its grades; a line of results.jsonl."""

    agent: str
    trajectory: Trajectory
    correct: bool
    supported: bool  # correct, and a cited document that was shown states the answer
    num_citations: int  # distinct documents cited
    num_supporting: int  # of these, shown in this rollout and stating the answer
    attempted_calls: int
    valid_calls: int
    num_queries: int  # queries made while an entity of the chain was still to be found
    num_next_entity: int  # of these, the ones whose hits held the next one
    unseen: bool = False  # diseases, genes and answer occur nowhere in the training text
    unseen_entities: bool = False  # diseases and genes occur nowhere; the answer may
    failure: str = ""  # class of a wrong answer (``errors.Failure``); "" = right, or our fault
    words_written: int = 0  # by the policy: thoughts, arguments of calls, answer
    words_read: int = 0  # of what the tools showed

    @property
    def question(self) -> Question:
        """The question asked."""
        return self.trajectory.question

    @property
    def infra_failed(self) -> bool:
        """Our side failed, so the rollout says nothing about the agent."""
        return self.trajectory.status in _OUR_FAULT


def grade(
    agent: str,
    trajectory: Trajectory,
    *,
    names: match.Names,
    document_text: DocumentText,
    unseen: bool = False,
    unseen_entities: bool = False,
) -> Result:
    """Grades one rollout; see ``match.supports`` for what counts as evidence."""
    question, answer = trajectory.question, trajectory.answer
    correct = answer is not None and match.is_correct(answer.text, question)
    supporting = evidence.supporting_documents(trajectory, names, document_text)
    attempted, valid = count_calls(trajectory.turns)
    queries, next_entity = count_next_entity(trajectory, names)
    written, read = count_words(trajectory)
    is_wrong = not correct and trajectory.status not in _OUR_FAULT
    return Result(
        agent=agent,
        trajectory=trajectory,
        correct=correct,
        supported=correct and bool(supporting),
        num_citations=len(evidence.cited_documents(trajectory)),
        num_supporting=len(supporting),
        attempted_calls=attempted,
        valid_calls=valid,
        num_queries=queries,
        num_next_entity=next_entity,
        unseen=unseen,
        unseen_entities=unseen_entities,
        failure=errors.classify(trajectory, names).value if is_wrong else "",
        words_written=written,
        words_read=read,
    )


def count_words(trajectory: Trajectory) -> tuple[int, int]:
    """(written by the policy, shown by the tools), split at white space."""
    written, read = [], []
    for turn in trajectory.turns:
        written.append(turn.thought)
        written += [str(value) for call in turn.calls for value in call.arguments.values()]
        written.append(turn.answer.text if turn.answer else "")
        for result in turn.results:
            read.append(result.text)
            read += [f"{hit.title} {hit.snippet}" for hit in result.hits]
    return len(" ".join(written).split()), len(" ".join(read).split())


def count_calls(turns: Sequence[Turn]) -> tuple[int, int]:
    """(attempted, valid) tool calls.

    A call that the tools refused is attempted and not valid; so is a completion that is
    neither a call nor an answer, or that is malformed beside one. A call that failed on our
    side (infrastructure, deadline) is not counted at all.
    """
    attempted = valid = 0
    for turn in turns:
        malformed = turn.status is Status.MODEL_ERROR or not (turn.calls or turn.answer)
        if malformed and turn.status not in _OUR_FAULT:
            attempted += 1
        # A malformed turn holds a message to the model, but no call.
        for _, result in zip(turn.calls, turn.results, strict=False):
            if result.status in _OUR_FAULT:
                continue
            attempted += 1
            valid += result.status is Status.OK
    return attempted, valid


def count_next_entity(trajectory: Trajectory, names: match.Names) -> tuple[int, int]:
    """(queries made while something was left to find, those whose hits held it).

    The chain's entities are to be found in order (``evidence.holds_next``). One query may find
    several. Reading a document finds entities too, but is no query.
    """
    chain = match.entity_ids(trajectory.question.chain, trajectory.question.answer_id)
    found = queries = successes = 0
    for turn in trajectory.turns:
        for call, result in zip(turn.calls, turn.results, strict=False):
            if found == len(chain):
                return queries, successes
            before = found
            while found < len(chain) and evidence.holds_next(result.hits, chain, found, names):
                found += 1
            if call.name == QUERY_TOOL and result.status is Status.OK:
                queries += 1
                successes += found > before
    return queries, successes


class Summary(Record):
    """An agent's numbers: group of questions -> metric -> number with interval.

    Groups: "all", "open" (answer is a disease, phenotype or gene), "unseen",
    "unseen entities", "hops=2", "specialty=...", "answer=...", "form=..." (of the question),
    "tool=..." (called at least once; "none").
    """

    agent: str
    groups: dict[str, dict[str, Cell]]
    statuses: dict[str, int]  # of all rollouts, infra failures included
    num_questions: int  # asked
    num_infra_failed: int  # left out of every denominator
    identity: str = ""  # hash of what determines the results
    seed: int = 0  # of the model's training
    seconds: float = 0.0
    failures: dict[str, dict[str, int]] = {}  # group -> class of wrong answers -> how many


def summarize(agent: str, results: Sequence[Result], *, seed: int = 0) -> Summary:
    """Counts every metric over every group; infra failures are counted apart."""
    graded = [result for result in results if not result.infra_failed]
    groups: dict[str, list[Result]] = {"all": []}
    for result in graded:
        for name in groups_of(result):
            groups.setdefault(name, []).append(result)
    statuses: dict[str, int] = {}
    for result in results:
        status = result.trajectory.status.value
        statuses[status] = statuses.get(status, 0) + 1
    return Summary(
        agent=agent,
        groups={name: measure(members) for name, members in sorted(groups.items())},
        statuses=dict(sorted(statuses.items())),
        num_questions=len(results),
        num_infra_failed=len(results) - len(graded),
        seed=seed,
        failures={name: _failures(members) for name, members in sorted(groups.items())},
    )


def _failures(results: Sequence[Result]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        if result.failure:
            counts[result.failure] = counts.get(result.failure, 0) + 1
    return dict(sorted(counts.items()))


def groups_of(result: Result) -> list[str]:
    """The groups a result counts in; a question of two specialties counts in both."""
    question = result.question
    names = ["all", f"hops={question.num_hops}", f"answer={question.answer_kind.value}"]
    if question.answer_kind in OPEN_KINDS:
        names.append("open")
    if result.unseen:
        names.append("unseen")
    if result.unseen_entities:
        names.append("unseen entities")
    names.append(f"form={question.form}")
    tools = sorted({call.name for turn in result.trajectory.turns for call in turn.calls})
    names += [f"tool={tool}" for tool in tools or ("none",)]
    return names + [f"specialty={specialty}" for specialty in question.specialties]


def measure(results: Sequence[Result]) -> dict[str, Cell]:
    """All metrics of one group, each with its 95% interval."""

    def ratio(top: str, bottom: str) -> Cell:
        return statistics.bootstrap_ratio(
            [getattr(result, top) for result in results],
            [getattr(result, bottom) for result in results],
        )

    n = len(results)
    calls = [result.trajectory.num_tool_calls for result in results]
    return {
        "exact_match": statistics.wilson(sum(result.correct for result in results), n),
        "supported_match": statistics.wilson(sum(result.supported for result in results), n),
        "citation_precision": ratio("num_supporting", "num_citations"),
        "call_validity": ratio("valid_calls", "attempted_calls"),
        "num_calls": statistics.bootstrap_mean(calls),
        "next_entity": ratio("num_next_entity", "num_queries"),
        "words_written": statistics.bootstrap_mean([result.words_written for result in results]),
        "words_read": statistics.bootstrap_mean([result.words_read for result in results]),
    }
