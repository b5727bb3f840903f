"""The rollouts of the benchmark: real episodes, and scripted ones with slow tools."""

import time
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from medr_jax.agent.loop import AgentLimits, CallTools, Generate, TokenEpisode, token_episode
from medr_jax.launch.rollouts.config import RolloutBenchConfig
from medr_jax.tokens.protocol import AgentProtocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.tools.base import ToolOutput
from medr_jax.tools.runtime import ToolRuntime, ToolsConfig
from medr_jax.types import Question, ToolCall

WAIT = "wait"


def question_episodes(
    questions: Sequence[Question],
    group_size: int,
    tokenizer: Tokenizer,
    protocol: AgentProtocol,
    limits: AgentLimits,
    tool_schemas: Sequence[dict],
) -> list[TokenEpisode]:
    """``group_size`` rollouts of each question, those of a question one after another."""
    return [
        token_episode(
            question,
            tokenizer,
            protocol,
            limits,
            tool_schemas=tool_schemas,
            rollout_id=f"{question.question_id}/{sample}",
        )
        for question in questions
        for sample in range(group_size)
    ]


class WaitTool:
    """Takes as long as it is told to."""

    name = WAIT
    description = "Waits."
    parameters = {
        "type": "object",
        "properties": {"seconds": {"type": "number", "minimum": 0}},
        "required": ["seconds"],
    }

    def __call__(self, seconds: float) -> ToolOutput:
        time.sleep(seconds)
        return ToolOutput(text="done")


def slow_tools(config: RolloutBenchConfig) -> ToolRuntime:
    """The runtime of ``long``, under its deadline."""
    settings = ToolsConfig(timeout_s=config.timeout_s, num_workers=config.num_workers)
    return ToolRuntime([WaitTool()], settings)


def long_episodes(
    config: RolloutBenchConfig, vocab_size: int, *, hanging: int | None = None
) -> list[Generator[Any, Any, list[int]]]:
    """Episodes that return the tokens sampled; the first call of rollout ``hanging`` hangs."""
    return [
        _long_episode(config, vocab_size, rollout, rollout == hanging)
        for rollout in range(config.num_long)
    ]


def _long_episode(
    config: RolloutBenchConfig, vocab_size: int, rollout: int, hangs: bool
) -> Generator[Any, Any, list[int]]:
    prompts = np.random.default_rng([config.seed, rollout // config.group_size])
    rng = np.random.default_rng([config.seed, config.num_prompts, rollout])
    least = max(config.completion_tokens // 2, 1)
    new_ids = prompts.integers(1, vocab_size, config.prompt_tokens)
    sampled: list[int] = []
    for turn in range(config.num_turns):
        completion = yield Generate(
            new_ids=tuple(new_ids.tolist()),
            max_tokens=int(rng.integers(least, least + config.completion_tokens + 1)),
            rollout_id=str(rollout),
            turn=turn,
        )
        sampled += completion.token_ids
        seconds = config.latency_s * float(np.exp(config.latency_sigma * rng.standard_normal()))
        if hangs and turn == 0:
            seconds = 100 * config.timeout_s
        yield CallTools((ToolCall(name=WAIT, arguments={"seconds": seconds}),))
        new_ids = rng.integers(1, vocab_size, config.result_tokens)
    return sampled
