"""Thoughts in other words, by an endpoint; turns, calls, results and answer stay as they are."""

from typing import Any

import msgspec

from medr_jax.agent.chat import ChatEndpoint
from medr_jax.endpoint.errors import ModelFailed
from medr_jax.endpoint.usage import Usage
from medr_jax.grading import match
from medr_jax.tokens.chatml import shown
from medr_jax.trajectories.evidence import hit_text
from medr_jax.types import Trajectory, Turn

INSTRUCTION = (
    "You edit the notes that a researcher made while searching. For each numbered step write one "
    "or two plain sentences that say the same: what the last results showed, and why the step "
    "follows. Add no fact, and name nothing that has not been shown by then."
)


def rewrite(
    trajectory: Trajectory, endpoint: ChatEndpoint, *, deadline: float | None = None
) -> tuple[Trajectory, Usage, str]:
    """(trajectory, what it cost, why the thoughts stayed as they were or "").

    New thoughts are refused together when one is empty, or names the answer before any result
    did.

    Raises:
        EndpointError: the endpoint failed; nothing is known about the model.
    """
    count = len(trajectory.turns)
    messages = [
        {"role": "system", "content": INSTRUCTION},
        {"role": "user", "content": _steps(trajectory)},
    ]
    try:
        answer, used = endpoint.complete_counted(messages, _schema(count), deadline=deadline)
    except ModelFailed as failure:
        return trajectory, failure.usage, f"rewrite: {failure}"
    thoughts = [thought.strip() for thought in answer["thoughts"]]
    if not all(thoughts):
        return trajectory, used, "rewrite: an empty thought"
    turns = tuple(
        msgspec.structs.replace(turn, thought=thought)
        for turn, thought in zip(trajectory.turns, thoughts, strict=True)
    )
    rewritten = msgspec.structs.replace(trajectory, turns=turns)
    if _names_too_early(rewritten) and not _names_too_early(trajectory):
        return trajectory, used, "rewrite: names the answer too early"
    return rewritten, used, ""


def _schema(count: int) -> dict[str, Any]:
    thoughts = {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 1000},
        "minItems": count,
        "maxItems": count,
    }
    return {
        "type": "object",
        "properties": {"thoughts": thoughts},
        "required": ["thoughts"],
        "additionalProperties": False,
    }


def _steps(trajectory: Trajectory) -> str:
    lines = [f"Question: {trajectory.question.text}"]
    for number, turn in enumerate(trajectory.turns, start=1):
        lines += [f"Step {number}. Note: {turn.thought or '(none)'}", *_acts(turn)]
    return "\n".join(lines)


def _acts(turn: Turn) -> list[str]:
    lines = [
        f"Calls {call.name} {msgspec.json.encode(call.arguments).decode()}" for call in turn.calls
    ]
    lines += [f"Results:\n{shown(result)}" for result in turn.results]
    if turn.answer is not None:
        lines.append(f"Answers {turn.answer.text}")
    return lines


def _names_too_early(trajectory: Trajectory) -> bool:
    """Whether a thought names the gold answer before the question or a result did."""
    question = trajectory.question
    names = (question.answer, *question.answer_aliases)
    if match.mentions(question.text, names):
        return False
    for turn in trajectory.turns:
        if match.mentions(turn.thought, names):
            return True
        texts = (hit_text(hit) for result in turn.results for hit in result.hits)
        if any(match.mentions(text, names) for text in texts):
            return False
    return False
