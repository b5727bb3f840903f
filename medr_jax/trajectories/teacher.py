"""Trajectories by an LLM teacher that drives the real tools over an endpoint.

Each question is asked once per ``num_rollouts``; what came of it is a line of the rollout file
under (question id, model, prompt hash, rollout). The prompt hash covers all that the teacher is
told and how it may act, the scaffold included; the trajectory itself holds none of the scaffold.
"""

import dataclasses
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from medr_jax import console, jsonl
from medr_jax.agent.chat import SYSTEM, ChatPolicy, opening
from medr_jax.agent.loop import AgentLimits, text_episode
from medr_jax.agent.rollouts import (
    Job,
    Rollout,
    RolloutKey,
    RolloutStore,
    check_failures,
    play,
    run_jobs,
)
from medr_jax.endpoint.client import Endpoint
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.endpoint.errors import EndpointError
from medr_jax.endpoint.usage import Usage
from medr_jax.grading import match
from medr_jax.tools.runtime import ToolRuntime
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories import flaws, guidance
from medr_jax.trajectories.flaws import Flaw
from medr_jax.trajectories.perturb import FailingTools
from medr_jax.trajectories.rewrite import rewrite
from medr_jax.trajectories.workshop import settled
from medr_jax.types import Question, Trajectory


class Form(StrEnum):
    """What the teacher is given, as ``Trajectory.form`` says afterwards."""

    guided = "guided"  # the masked outline of the chain
    exploration = "exploration"  # the question alone, and tools of which some fail


@dataclass(kw_only=True, slots=True)
class TeacherConfig:
    """Which questions the teacher gets, how it works, and which trajectories are kept."""

    form: Form = Form.guided
    split: str = "train"
    max_questions: int = 0  # the first by id; 0 = all
    num_rollouts: int = 1  # trajectories of one question
    seed: int = 0  # of injected failures
    tool_failure: float = 0.05  # chance that a call fails; exploration only
    rewrite_thoughts: bool = False
    max_turns: int = 24
    max_words: int = 4000  # as for the expert
    max_tokens: int = 0  # of the conversation, as the endpoint counts; 0 = any number
    duplicate_overlap: float = 0.8
    rounds: int = 2  # failed questions are asked again in each further one
    max_failed: int = 0  # questions that may be given up; more end the command

    def __post_init__(self) -> None:
        for name in ("num_rollouts", "max_turns", "max_words", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"teacher.{name}={getattr(self, name)}: must be at least 1")
        for name in ("max_questions", "max_tokens", "max_failed"):
            if getattr(self, name) < 0:
                raise ValueError(f"teacher.{name}={getattr(self, name)}: must be at least 0")
        if not 0 <= self.tool_failure < 1:
            raise ValueError(f"teacher.tool_failure={self.tool_failure}: give a share below 1")

    @property
    def identity(self) -> dict[str, object]:
        """What the set depends on: not how often failures are tried, nor how many may stay."""
        return {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name not in ("rounds", "max_failed")
        }


class Taught(NamedTuple):
    """What the teacher made."""

    trajectories: list[Trajectory]  # kept, in order of question and rollout
    rejections: Counter[str]  # reason -> trajectories
    notes: Counter[str]  # why thoughts were not rewritten
    given_up: int
    usage: Usage


class Teacher:
    """What the teacher is told, question by question; it speaks through ``endpoint``."""

    def __init__(
        self, endpoint: Endpoint, tools: ToolRuntime, config: TeacherConfig, *, index_hash: str = ""
    ) -> None:
        self._endpoint, self._tools, self._config = endpoint, tools, config
        self._schemas = tools.schemas()
        self._index_hash = index_hash
        self._limits = AgentLimits(max_turns=config.max_turns)

    def job(self, question: Question, rollout: int = 0) -> Job:
        """The rollout of one question, to be run."""
        key = RolloutKey(
            question_id=question.question_id,
            agent=self._endpoint.config.model,
            identity=self.prompt_hash(question),
            rollout=rollout,
        )
        return Job(key, lambda: self._run(key, question))

    def prompt_hash(self, question: Question) -> str:
        """Of all that the teacher is told, and of the rules it acts under."""
        config = self._config
        facts = {
            "messages": opening(question.text, SYSTEM, self._scaffold(question)),
            "tools": self._schemas,
            "endpoint": self._endpoint.config.identity,
            "form": config.form,
            "failures": [config.tool_failure, config.seed] if self._explores else [],
            "max_turns": config.max_turns,
            "rewrite": config.rewrite_thoughts,
            "index": self._index_hash,
        }
        return hashlib.sha256(jsonl.encode(facts)).hexdigest()[:16]

    @property
    def _explores(self) -> bool:
        return self._config.form == Form.exploration

    def _scaffold(self, question: Question) -> str:
        return "" if self._explores else guidance.scaffold(question)

    def _run(self, key: RolloutKey, question: Question) -> Rollout:
        policy = ChatPolicy(self._endpoint, self._schemas, scaffold=self._scaffold(question))
        rng = random.Random(f"{self._config.seed}:{key.question_id}:{key.rollout}")
        rate = self._config.tool_failure if self._explores else 0.0
        tools = FailingTools(self._tools, rate, rng)
        episode = text_episode(
            question,
            self._limits,
            trajectory_id=f"{key.question_id}/{key.rollout}",
            policy=key.agent,
            index_hash=self._index_hash,
        )
        rollout = play(key, episode, policy, tools)
        if rollout.trajectory is None:
            return rollout
        trajectory = self._labelled(settled(rollout.trajectory), tools)
        rollout = msgspec.structs.replace(rollout, trajectory=trajectory)
        if self._config.rewrite_thoughts and trajectory.answer is not None:
            return self._rewritten(rollout, trajectory)
        return rollout

    def _labelled(self, trajectory: Trajectory, tools: FailingTools) -> Trajectory:
        found = tuple(
            flaws.label(Flaw.TOOL_FAILURE, number)
            for number, turn in enumerate(trajectory.turns)
            if any(result.call_id in tools.failed for result in turn.results)
        )
        return msgspec.structs.replace(trajectory, form=str(self._config.form), flaws=found)

    def _rewritten(self, rollout: Rollout, trajectory: Trajectory) -> Rollout:
        """Where the endpoint fails now, the whole rollout counts as failed: half is not kept."""
        try:
            trajectory, used, note = rewrite(trajectory, self._endpoint)
        except EndpointError as failure:
            return msgspec.structs.replace(
                rollout,
                status=failure.status,
                trajectory=None,
                error=f"rewriting: {failure}",
                usage=rollout.usage + failure.usage,
            )
        return msgspec.structs.replace(
            rollout,
            trajectory=trajectory,
            usage=rollout.usage + used,
            notes=(note,) if note else (),
        )


def teach(
    questions: Sequence[Question],
    endpoint_config: EndpointConfig,
    tools: ToolRuntime,
    config: TeacherConfig,
    store_path: Path,
    *,
    names: match.Names,
    index_hash: str = "",
) -> Taught:
    """Runs the teacher on what the file of rollouts lacks, and filters what came of all.

    Raises:
        ValueError: the budget is spent, the endpoint refuses, or more than ``max_failed``
            questions failed on its side. What is finished is kept.
    """
    chosen = sorted(questions, key=lambda question: question.question_id)
    chosen = chosen[: config.max_questions or None]
    with (
        RolloutStore(store_path) as store,
        Endpoint(endpoint_config) as endpoint,
        console.bar("teacher", len(chosen) * config.num_rollouts) as advance,
    ):
        teacher = Teacher(endpoint, tools, config, index_hash=index_hash)
        jobs = [
            teacher.job(question, number)
            for question in chosen
            for number in range(config.num_rollouts)
        ]
        keys = [job.key for job in jobs]
        endpoint.budget.spend(store.usage(keys))
        run_jobs(
            jobs,
            store,
            concurrency=endpoint_config.concurrency,
            rounds=config.rounds,
            stop=endpoint.close,
            advance=advance,
        )
        check_failures(store, keys, config.max_failed)
        finished = [store.finished[key] for key in keys if key in store.finished]
        return _filtered(finished, config, names, len(keys) - len(finished), store.usage(keys))


def _filtered(
    rollouts: Sequence[Rollout],
    config: TeacherConfig,
    names: match.Names,
    given_up: int,
    usage: Usage,
) -> Taught:
    seen = filters.NearDuplicates(config.duplicate_overlap)
    taught = Taught([], Counter(), Counter(), given_up, usage)
    for rollout in rollouts:
        trajectory = rollout.trajectory
        assert trajectory is not None
        taught.notes.update(rollout.notes)
        reason = filters.reason_against(trajectory, names=names, max_words=config.max_words)
        if reason is None and 0 < config.max_tokens < rollout.context_tokens:
            reason = filters.Reason.TOO_MANY_TOKENS
        first = rollout.key.rollout == 0  # several rollouts of one question are meant to be alike
        if reason is None and first and seen.add(trajectory.question):
            reason = filters.Reason.NEAR_DUPLICATE
        if reason is None:
            taught.trajectories.append(trajectory)
        else:
            taught.rejections[str(reason)] += 1
    return taught
