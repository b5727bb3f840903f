"""The exploration set: the expert's searches with detours, failures and, on request, mistakes.

A perturbed trajectory runs against the live tools like any other, so what its turns show is
real; only failures are made up. Every flaw is labelled with its turn (``Trajectory.flaws``).
Which trajectories are perturbed and how depends on the seed and the question only.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from medr_jax.agent.drivers import TextPolicy, Tools
from medr_jax.agent.loop import NextTurn
from medr_jax.grading import match
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.trajectories.flaws import Flaw, label
from medr_jax.trajectories.wording import Wording
from medr_jax.types import Hit, Question, Status, ToolCall, ToolResult, Trajectory

EXPLORATION = "exploration"
"""``Trajectory.form``; the other is "guided"."""


@dataclass(kw_only=True, slots=True)
class ExplorationConfig:
    """How many of the training trajectories are perturbed, and how. Off by default."""

    share: float = 0.0
    """Of the training questions whose trajectory is of the exploration form."""
    tool_switch: float = 0.25
    """Chance that a step after the first search begins with reading another hit's document."""
    wrong_turn: float = 0.25
    """Chance that such a step begins with a search for another hit."""
    tool_failure: float = 0.05
    """Chance that a call fails; it is made again."""
    premature_answer: float = 0.0
    """Share of exploration trajectories that end early with a wrong answer. One-hop questions,
    which have no early end, repeat their search instead."""
    repeated_search: float = 0.0
    """Share of exploration trajectories that make one search twice."""

    def __post_init__(self) -> None:
        for pair in (
            ("share",),
            ("tool_failure",),
            ("tool_switch", "wrong_turn"),
            ("premature_answer", "repeated_search"),
        ):
            chances = [getattr(self, name) for name in pair]
            if min(chances) < 0 or sum(chances) > 1:
                named = ", ".join(f"exploration.{name}={getattr(self, name)}" for name in pair)
                raise ValueError(f"{named}: give shares from 0 to 1, together at most 1")
        if self.tool_failure == 1:
            raise ValueError("exploration.tool_failure=1: no call would ever succeed")


class FailingTools:
    """The tools of one episode, of whose calls some fail with a timeout that never was."""

    def __init__(self, tools: Tools, rate: float, rng: random.Random) -> None:
        self._tools, self._rate, self._rng = tools, rate, rng
        self.failed: set[str] = set()  # call ids

    def call_many(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Results in the order of the calls; a failed call is not run."""
        results = []
        for call in calls:
            if self._rng.random() < self._rate:
                self.failed.add(call.call_id)
                text = f"{call.name} did not answer in time"
                results.append(ToolResult(status=Status.TIMEOUT, text=text, call_id=call.call_id))
            else:
                results += self._tools.call_many([call])
        return results


class Explorer:
    """A policy around the expert of one episode, with the tools it is to be run with."""

    def __init__(
        self,
        question: Question,
        expert: TextPolicy,
        tools: Tools,
        config: ExplorationConfig,
        *,
        style: str,
        seed: int,
    ) -> None:
        self._rng = random.Random(f"explore:{seed}:{question.question_id}")
        self.tools = FailingTools(tools, config.tool_failure, self._rng)
        self._question, self._expert, self._config = question, expert, config
        self._wording = Wording(style, self._rng)
        self._flaws: list[str] = []
        self._planned: ParsedTurn | None = None  # the expert's turn that a detour put off
        self._mistake = self._drawn_mistake()
        self._mistake_after = self._rng.randint(1, max(1, question.num_hops - 1))
        self._expert_turns = 0

    def __call__(self, request: NextTurn) -> ParsedTurn:
        """The expert's next turn, or one that it should not have needed."""
        if again := self._after_failure(request):
            return again
        if self._planned is not None:
            planned, self._planned = self._planned, None
            thought = f"{self._wording.say('back')} {planned.thought}".strip()
            return msgspec.structs.replace(planned, thought=thought)
        planned = self._expert(request)
        aside = self._mistaken(request, planned) or self._detour(request, planned)
        self._expert_turns += 1
        if aside is None:
            return planned
        self._planned = planned
        return aside

    def labelled(self, trajectory: Trajectory) -> Trajectory:
        """The trajectory with its form and flaws."""
        return msgspec.structs.replace(trajectory, form=EXPLORATION, flaws=tuple(self._flaws))

    def _drawn_mistake(self) -> Flaw | None:
        drawn = self._rng.random()
        if drawn < self._config.premature_answer:
            early = self._question.num_hops > 1
            return Flaw.PREMATURE_ANSWER if early else Flaw.REPEATED_SEARCH
        if drawn < self._config.premature_answer + self._config.repeated_search:
            return Flaw.REPEATED_SEARCH
        return None

    def _after_failure(self, request: NextTurn) -> ParsedTurn | None:
        """The same calls again where a failure was made up."""
        if not request.turns or not self.tools.failed:
            return None
        last = request.turns[-1]
        if not any(result.call_id in self.tools.failed for result in last.results):
            return None
        self._flaws.append(label(Flaw.TOOL_FAILURE, len(request.turns) - 1))
        return ParsedTurn(thought=self._wording.say("failed"), calls=last.calls)

    def _mistaken(self, request: NextTurn, planned: ParsedTurn) -> ParsedTurn | None:
        if self._mistake is None or self._expert_turns < self._mistake_after:
            return None
        turn = None
        if self._mistake is Flaw.REPEATED_SEARCH:
            calls = request.turns[-1].calls
            if all(call.name == "search" for call in calls):
                turn = ParsedTurn(thought=self._wording.say("repeat"), calls=calls)
        elif planned.answer_text is None and (guess := self._wrong_guess(request)):
            turn = ParsedTurn(
                thought=self._wording.say("guess", name=guess.title),
                answer_text=guess.title,
                cited_labels=(guess.label,),
            )
        if turn is not None:
            self._flaws.append(label(self._mistake, len(request.turns)))
            self._mistake = None
        return turn

    def _wrong_guess(self, request: NextTurn) -> Hit | None:
        """The best hit that is not the answer, of the answer's kind where there is one."""
        accepted = (self._question.answer, *self._question.answer_aliases)
        wrong = [hit for hit in _last_hits(request) if not match.matches(hit.title, accepted)]
        alike = [hit for hit in wrong if hit.kind == self._question.answer_kind]
        return next(iter(alike or wrong), None)

    def _detour(self, request: NextTurn, planned: ParsedTurn) -> ParsedTurn | None:
        if not self._expert_turns or planned.answer_text is not None:
            return None
        drawn = self._rng.random()
        if drawn < self._config.wrong_turn:
            flaw = Flaw.WRONG_TURN
        elif drawn < self._config.wrong_turn + self._config.tool_switch:
            flaw = Flaw.TOOL_SWITCH
        else:
            return None
        if (other := self._other_hit(request, flaw)) is None:
            return None
        self._flaws.append(label(flaw, len(request.turns)))
        if flaw is Flaw.WRONG_TURN:
            call = ToolCall(name="search", arguments={"query": other.title})
            return ParsedTurn(thought=self._wording.say("detour", name=other.title), calls=(call,))
        call = ToolCall(name="read", arguments={"doc_id": str(other.label)})
        return ParsedTurn(thought=self._wording.say("switch", name=other.title), calls=(call,))

    def _other_hit(self, request: NextTurn, flaw: Flaw) -> Hit | None:
        """A hit that no call of the trajectory has asked for, nor a step of the chain leads to."""
        asked = {
            match.normalize(str(value))
            for turn in request.turns
            for call in turn.calls
            for value in call.arguments.values()
        }
        needed = match.entity_ids(self._question.chain, self._question.answer_id)
        left = [
            hit
            for hit in _last_hits(request)
            if hit.doc_id not in needed
            and match.normalize(hit.title if flaw is Flaw.WRONG_TURN else str(hit.label))
            not in asked
        ]
        return self._rng.choice(left) if left else None


def _last_hits(request: NextTurn) -> list[Hit]:
    return [hit for result in request.turns[-1].results for hit in result.hits]


def explores(config: ExplorationConfig, question: Question, seed: int) -> bool:
    """Whether the question's trajectory is of the exploration form."""
    drawn = random.Random(f"form:{seed}:{question.question_id}").random()
    return drawn < config.share
