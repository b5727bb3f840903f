"""Agents behind an endpoint, evaluated by the same tools, questions and grader as any other.

Three ways to ask the same model: with the tools, after one search with the question's words, and
with nothing. Every rollout is kept under (benchmark, question, agent, setting, rollout) the moment
it ends, so an evaluation goes on where it was stopped; what failed on the endpoint's side is
asked again and never graded.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from medr_jax import console, jsonl
from medr_jax.agent.chat import SYSTEM, ChatPolicy, SingleShotPolicy
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
from medr_jax.endpoint.usage import Usage, cost_usd
from medr_jax.eval.evaluate import Agent
from medr_jax.tools.runtime import ToolRuntime
from medr_jax.types import Question, Trajectory


class Setting(StrEnum):
    """What the model is given beside the question."""

    tools = "tools"
    one_search = "one_search"
    no_tools = "no_tools"


@dataclass(kw_only=True, slots=True)
class EndpointAgentsConfig:
    """Which settings of the endpoint's model are evaluated, and how stubbornly."""

    settings: list[Setting] = dataclasses.field(default_factory=lambda: list(Setting))
    rollout: int = 0  # number of this rollout, where a question is asked several times
    rounds: int = 2  # failed questions are asked again in each further one
    max_failed: int = 0  # questions per agent that may stay ungraded; more end the command

    def __post_init__(self) -> None:
        if not self.settings or len(set(self.settings)) < len(self.settings):
            raise ValueError(
                f"agents.settings={list(map(str, self.settings))}: name each of "
                f"{list(map(str, Setting))} at most once, and at least one"
            )
        if self.rounds < 1 or self.rollout < 0 or self.max_failed < 0:
            raise ValueError(
                f"agents.rounds={self.rounds}, rollout={self.rollout}, "
                f"max_failed={self.max_failed}: give at least 1, 0 and 0"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What all settings share. ``benchmark`` is the version of the questions."""

    endpoint: EndpointConfig
    tools: ToolRuntime
    limits: AgentLimits
    config: EndpointAgentsConfig
    store_path: Path
    benchmark: str
    index_hash: str = ""


def endpoint_agent(setting: Setting, bench: Bench) -> Agent:
    """The endpoint's model in one setting; its name is "<model> (<setting>)".

    ``roll_out`` raises ValueError when the budget is spent, the endpoint refuses, or too many
    questions failed on its side; finished rollouts are kept.
    """
    name = f"{bench.endpoint.model.replace('/', '_')} ({setting})"
    facts = {
        "endpoint": bench.endpoint.identity,
        "setting": str(setting),
        "system": SYSTEM,
        "tools": bench.tools.schemas(),
        "max_turns": bench.limits.max_turns,
        "benchmark": bench.benchmark,
        "index": bench.index_hash,
        "rollout": bench.config.rollout,
    }
    identity = hashlib.sha256(jsonl.encode(facts)).hexdigest()[:16]
    return Agent(
        name=name,
        # Its own store keeps the rollouts, with what they cost.
        roll_out=lambda questions, keep: _roll_out(name, identity, setting, bench, questions),
        identity=facts,
    )


def _roll_out(
    name: str, identity: str, setting: Setting, bench: Bench, questions: Sequence[Question]
) -> list[Trajectory]:
    keys = [
        RolloutKey(
            question_id=question.question_id,
            agent=name,
            identity=identity,
            rollout=bench.config.rollout,
        )
        for question in questions
    ]
    with (
        RolloutStore(bench.store_path) as store,
        Endpoint(bench.endpoint) as endpoint,
        console.bar(f"questions: {name}", len(questions)) as advance,
    ):
        endpoint.budget.spend(store.usage(keys))
        run_jobs(
            [
                Job(key, _task(key, question, setting, endpoint, bench))
                for key, question in zip(keys, questions, strict=True)
            ],
            store,
            concurrency=bench.endpoint.concurrency,
            rounds=bench.config.rounds,
            stop=endpoint.close,
            advance=advance,
        )
        check_failures(store, keys, bench.config.max_failed)
        console.say(f"{name}: {_cost(store.usage(keys), bench.endpoint)}")
        outcomes = [store.finished.get(key) or store.failures[key] for key in keys]
    return [
        outcome.trajectory or _ungraded(question, outcome, bench)
        for question, outcome in zip(questions, outcomes, strict=True)
    ]


def _task(
    key: RolloutKey, question: Question, setting: Setting, endpoint: Endpoint, bench: Bench
) -> Callable[[], Rollout]:
    def run() -> Rollout:
        if setting is Setting.tools:
            policy = ChatPolicy(endpoint, bench.tools.schemas())
        else:
            policy = SingleShotPolicy(endpoint, search=setting is Setting.one_search)
        episode = text_episode(
            question,
            bench.limits,
            trajectory_id=f"{key.question_id}/{key.rollout}",
            policy=key.agent,
            index_hash=bench.index_hash,
        )
        return play(key, episode, policy, bench.tools)

    return run


def _ungraded(question: Question, failure: Rollout, bench: Bench) -> Trajectory:
    """A failure that was given up: it stays out of every denominator by its status."""
    return Trajectory(
        trajectory_id=f"{question.question_id}/{failure.key.rollout}",
        question=question,
        turns=(),
        status=failure.status,
        policy=failure.key.agent,
        index_hash=bench.index_hash,
        error=failure.error,
    )


def _cost(usage: Usage, config: EndpointConfig) -> str:
    told = f"{usage.requests:,} requests, {usage.tokens:,} tokens"
    price = cost_usd(usage, config)
    return f"{told}, {price:.4f} US dollars" if price else told
