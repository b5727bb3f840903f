"""Why an answer is wrong, by rule: from what was asked, what came back and what was answered."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from medr_jax.grading import evidence, match
from medr_jax.types import Status, ToolCall, Trajectory


class Failure(StrEnum):
    """Classes of wrong answers, in the order in which the rules are tried."""

    OUT_OF_BUDGET = "out of budget"  # no answer before turns or tokens ran out
    MALFORMED = "malformed"  # no answer for another reason: nothing that could be parsed
    WRONG_HOP = "wrong hop"  # answered an earlier entity, or left the chain before its end
    NOT_USED = "retrieved, not used"  # the right answer was shown; what was given was not
    WRONG_END = "wrong entity at the end"  # at the last step, took another of those shown
    BAD_QUERY = "bad query"  # no search that came through says anything of the question
    NOT_RETRIEVED = "not retrieved"  # the query named the right thing, its results lacked the next


RULES = (
    "Each wrong answer is classed by the first rule that holds. Out of budget: cut off before an "
    "answer. Malformed: no answer that could be parsed. Wrong hop: an earlier entity of the chain "
    "was answered, or the search went on from an entity off the chain. Wrong entity at the end: "
    "the right answer was shown or a step away, and another entity that was shown was answered. "
    "Retrieved, not used: the right answer was shown, and what was answered never was. Bad query: "
    "nothing of the chain was found and no search names a clue. Not retrieved: the search named "
    "the right thing and its results lacked what comes next."
)


def classify(trajectory: Trajectory, names: match.Names) -> Failure:
    """The class of a rollout that is known to be wrong, and not by a failure on our side."""
    if trajectory.answer is None:
        cut = trajectory.status is Status.TRUNCATED
        return Failure.OUT_OF_BUDGET if cut else Failure.MALFORMED
    question, given = trajectory.question, trajectory.answer.text
    chain = match.entity_ids(question.chain, question.answer_id)
    if any(match.matches(given, names(entity)) for entity in chain[:-1]):
        return Failure.WRONG_HOP
    found, searched = _followed(trajectory, chain, names)
    was_shown = any(
        match.mentions(f"{hit.title} {hit.snippet}", [given])
        for hit in evidence.shown_hits(trajectory)
    )
    if found == len(chain):
        return Failure.WRONG_END if was_shown else Failure.NOT_USED
    if found == 0:
        return Failure.NOT_RETRIEVED if _names_a_clue(searched, trajectory) else Failure.BAD_QUERY
    if any(match.mentions(query, names(chain[found - 1])) for query in searched):
        return Failure.NOT_RETRIEVED
    if not searched and found == len(chain) - 1 and was_shown:
        return Failure.WRONG_END
    return Failure.WRONG_HOP


def _followed(
    trajectory: Trajectory, chain: Sequence[str], names: match.Names
) -> tuple[int, list[str]]:
    """How many entities were found in order, and what was searched for since the last one."""
    found, since = 0, []
    for turn in trajectory.turns:
        for call, result in zip(turn.calls, turn.results, strict=False):
            before = found
            while found < len(chain) and evidence.holds_next(result.hits, chain, found, names):
                found += 1
            if found > before:
                since = []
            elif result.status is Status.OK:
                since.append(_said(call))
    return found, since


def _said(call: ToolCall) -> str:
    parts: list[str] = []
    for value in call.arguments.values():
        parts += value if isinstance(value, list) else [str(value)]
    return " ; ".join(parts)


def _names_a_clue(searched: Iterable[str], trajectory: Trajectory) -> bool:
    texts = [clue.text for clue in trajectory.question.chain.clues]
    if not texts:  # the question starts at a gene or a term that it names
        return any(searched)
    return any(match.mentions(query, texts) for query in searched)
