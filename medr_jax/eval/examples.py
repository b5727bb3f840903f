"""Whole rollouts for a person to read, picked by a rule and not by hand."""

import hashlib
from collections.abc import Sequence

from medr_jax.eval.metrics import Result
from medr_jax.grading import match
from medr_jax.pages.views import CallView, HitView, RolloutView, TurnView
from medr_jax.types import Hit, Status, ToolCall, ToolResult, Trajectory, Turn

RULE = (
    "Picked by a fixed rule, not by hand: in an order given by a hash of the question's id, up "
    "to two that went wrong, then right ones from the most hops to the fewest."
)
_NUM_WRONG = 2


def choose(results: Sequence[Result], count: int = 5) -> list[Result]:
    """``count`` results as RULE says; where one sort runs short, more of the other."""
    ordered = sorted(results, key=_order)
    wrong = [result for result in ordered if not result.correct]
    right = _rounds_of_hops([result for result in ordered if result.correct])
    num_wrong = min(len(wrong), max(_NUM_WRONG, count - len(right)))
    return [*right[: count - num_wrong], *wrong[:num_wrong]]


def _order(result: Result) -> str:
    return hashlib.sha256(result.question.question_id.encode()).hexdigest()


def _rounds_of_hops(results: list[Result]) -> list[Result]:
    """One result of each hop count, most hops first, then the second of each, and so on."""
    taken: dict[int, int] = {}
    keyed = []
    for result in results:
        hops = result.question.num_hops
        keyed.append((taken.get(hops, 0), -hops, len(keyed), result))
        taken[hops] = taken.get(hops, 0) + 1
    return [result for *_, result in sorted(keyed, key=lambda item: item[:3])]


def verdict(result: Result) -> str:
    """How it went, in words."""
    if result.supported:
        return "right, and a cited document states it"
    if result.correct:
        return "right, but no cited document states it"
    if result.trajectory.answer is not None:
        return "wrong answer"
    why = {
        Status.TRUNCATED: "cut off before an answer",
        Status.MODEL_ERROR: "malformed output",
        Status.INFRA_ERROR: "failed on our side",
    }
    return why.get(result.trajectory.status, f"no answer ({result.trajectory.status.value})")


def rollout_view(result: Result) -> RolloutView:
    """A rollout as a page shows it."""
    return trajectory_view(
        result.trajectory, verdict=verdict(result), right=result.correct, agent=result.agent
    )


def trajectory_view(
    trajectory: Trajectory, *, verdict: str, right: bool, agent: str = ""
) -> RolloutView:
    """A trajectory as a page shows it, with somebody's verdict."""
    question, answer = trajectory.question, trajectory.answer
    cited = answer.citations if answer else ()
    on_chain = set(match.entity_ids(question.chain, question.answer_id))
    turns = [_turn_view(turn, set(cited), on_chain) for turn in trajectory.turns]
    turns = [turn for turn in turns if turn.thought or turn.calls or turn.error]
    if trajectory.error and not any(turn.error for turn in turns):
        turns.append(TurnView(thought="", calls=(), error=trajectory.error))
    return RolloutView(
        question=question.text,
        facts=" · ".join(_facts(trajectory)),
        turns=turns,
        answer=answer.text if answer else "",
        gold=question.answer,
        citations=[_cited_as(trajectory, doc_id) for doc_id in cited],
        verdict=verdict,
        right=right,
        agent=agent,
    )


def _facts(trajectory: Trajectory) -> list[str]:
    question = trajectory.question
    hops = "1 hop" if question.num_hops == 1 else f"{question.num_hops} hops"
    calls = trajectory.num_tool_calls
    called = "1 tool call" if calls == 1 else f"{calls} tool calls"
    specialties = [name.replace("_", " ") for name in question.specialties[:2]]
    return [hops, called, *specialties]


def _turn_view(turn: Turn, cited: set[str], on_chain: set[str]) -> TurnView:
    calls = [
        _call_view(call, result, cited, on_chain)
        for call, result in zip(turn.calls, turn.results, strict=False)
    ]
    return TurnView(thought=turn.thought, calls=calls, error=turn.error)


def _call_view(call: ToolCall, result: ToolResult, cited: set[str], on_chain: set[str]) -> CallView:
    return CallView(
        name=call.name,
        arguments=[(name, str(call.arguments[name])) for name in _main_first(call)],
        status=result.status.value,
        message=result.text,
        hits=[_hit_view(hit, cited, on_chain) for hit in result.hits],
    )


def _main_first(call: ToolCall) -> list[str]:
    return sorted(call.arguments, key=lambda name: (name not in ("query", "doc_id"), name))


def _hit_view(hit: Hit, cited: set[str], on_chain: set[str]) -> HitView:
    marks = []
    if hit.doc_id in on_chain:
        marks.append("on the chain")
    if hit.doc_id in cited:
        marks.append("cited")
    return HitView(
        label=hit.label, title=hit.title, kind=hit.kind, snippet=hit.snippet, marks=marks
    )


def _cited_as(trajectory: Trajectory, doc_id: str) -> str:
    """ "[3] Marfan syndrome (MONDO:0007947)", or the id alone when no hit showed it."""
    for turn in trajectory.turns:
        for result in turn.results:
            for hit in result.hits:
                if hit.doc_id == doc_id:
                    return f"[{hit.label}] {hit.title} ({doc_id})"
    return doc_id
