"""Which trajectories are kept, and the counted reason for each that is not."""

from enum import StrEnum

from medr_jax.grading import match
from medr_jax.trajectories import evidence, flaws, guidance
from medr_jax.trajectories.flaws import Flaw
from medr_jax.types import Question, Status, Trajectory, Turn


class Reason(StrEnum):
    """Why a trajectory is not kept."""

    MALFORMED_CALL = "malformed_call"  # no name, an empty or non-text argument, unparsed turn
    CALL_RESULT_MISMATCH = "call_result_mismatch"  # not one result for each call, in order
    FAILED_CALL = "failed_call"  # our side failed: says nothing about the policy
    TOO_LONG = "too_long"
    NO_ANSWER = "no_answer"
    WRONG_ANSWER = "wrong_answer"
    UNSUPPORTED_ANSWER = "unsupported_answer"  # no cited document was seen to state it
    LOOP = "loop"  # the same call twice
    NEAR_DUPLICATE = "near_duplicate"
    TOO_EASY = "too_easy"  # chosen solvers answer it too often
    TOO_MANY_TOKENS = "too_many_tokens"
    GUIDANCE = "guidance"  # speaks of the scaffold that only the teacher is told


def reason_against(trajectory: Trajectory, *, names: match.Names, max_words: int) -> Reason | None:
    """The first reason against a trajectory, or None when it is sound by itself.

    ``names`` gives all names of an entity. ``max_words`` bounds all the text: the question, what
    the model wrote and what it was shown. What a trajectory's labels say was done to it on purpose
    is no reason: a failed call that was made again, a repeated search, a premature answer.
    """
    for reason, fails in (
        (Reason.MALFORMED_CALL, _malformed),
        (Reason.CALL_RESULT_MISMATCH, _mismatched),
        (Reason.FAILED_CALL, _failed),
        (Reason.NO_ANSWER, _unanswered),
        (Reason.WRONG_ANSWER, _wrong),
        (Reason.LOOP, _loops),
        (Reason.GUIDANCE, guidance.betrays),
    ):
        if fails(trajectory):
            return reason
    if _unsupported(trajectory, names):
        return Reason.UNSUPPORTED_ANSWER
    return Reason.TOO_LONG if num_words(trajectory) > max_words else None


def num_words(trajectory: Trajectory) -> int:
    """Words of the question, the model's turns and the tools' results together."""
    return sum(len(text.split()) for text in evidence.texts(trajectory))


class NearDuplicates:
    """Remembers questions; two are near-duplicates when they lead from the same entity to the
    same answer and share most of their words.

    Word overlap is the Jaccard index of the sets of words, |A & B| / |A | B|.
    """

    def __init__(self, threshold: float = 0.8):
        self._threshold = threshold
        self._seen: dict[tuple[str, str], list[frozenset[str]]] = {}

    def add(self, question: Question) -> bool:
        """Whether an earlier question is nearly the same; remembers this one if not."""
        hops = question.chain.hops
        start = hops[0].source_id if hops else question.answer_id
        bucket = self._seen.setdefault((start, question.answer_id), [])
        own = frozenset(match.words(question.text))
        for other in bucket:
            if len(own & other) >= self._threshold * len(own | other):
                return True
        bucket.append(own)
        return False


def _malformed(trajectory: Trajectory) -> bool:
    return not trajectory.turns or any(map(_malformed_turn, trajectory.turns))


def _malformed_turn(turn: Turn) -> bool:
    if turn.error or turn.status is Status.MODEL_ERROR:
        return True
    if (turn.answer is None) == (not turn.calls):  # exactly one of an answer and calls
        return True
    return any(not call.name or not _sound_arguments(call.arguments) for call in turn.calls)


def _sound_arguments(arguments: dict) -> bool:
    required = arguments.get("query", arguments.get("doc_id"))
    return required is not None and bool(str(required).strip())


def _mismatched(trajectory: Trajectory) -> bool:
    for turn in trajectory.turns:
        if [call.call_id for call in turn.calls] != [result.call_id for result in turn.results]:
            return True
        if any(not (result.hits or result.text) for result in turn.results):
            return True
    return False


def _failed(trajectory: Trajectory) -> bool:
    ours = {Status.INFRA_ERROR, Status.TIMEOUT}
    injected = flaws.turns_with(trajectory, Flaw.TOOL_FAILURE)
    return trajectory.status in ours or any(
        result.status in ours
        for number, turn in enumerate(trajectory.turns)
        if number not in injected
        for result in turn.results
    )


def _unanswered(trajectory: Trajectory) -> bool:
    return trajectory.status is not Status.OK or trajectory.answer is None


def _wrong(trajectory: Trajectory) -> bool:
    assert trajectory.answer is not None
    if flaws.turns_with(trajectory, Flaw.PREMATURE_ANSWER):
        return match.is_correct(trajectory.answer.text, trajectory.question)  # mislabelled
    return not match.is_correct(trajectory.answer.text, trajectory.question)


def _unsupported(trajectory: Trajectory, names: match.Names) -> bool:
    assert trajectory.answer is not None
    if flaws.turns_with(trajectory, Flaw.PREMATURE_ANSWER):
        return False
    return not any(
        doc_id in trajectory.answer.citations
        and match.supports(doc_id, text, trajectory.question, names)
        for doc_id, text in evidence.seen(trajectory)
    )


def _loops(trajectory: Trajectory) -> bool:
    on_purpose = flaws.turns_with(trajectory, Flaw.TOOL_FAILURE, Flaw.REPEATED_SEARCH)
    made = [
        (call.name, sorted((name, str(value).casefold()) for name, value in call.arguments.items()))
        for number, turn in enumerate(trajectory.turns)
        if number not in on_purpose
        for call in turn.calls
    ]
    return any(call in made[:number] for number, call in enumerate(made))
