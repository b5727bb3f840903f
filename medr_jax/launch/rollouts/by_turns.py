"""What the engine is compared with: all rollouts of a batch take their turns together."""

import itertools
from collections.abc import Iterable
from typing import Any

from medr_jax.agent.drivers import Tools
from medr_jax.agent.loop import CallTools, Episode, Generate, TokenEpisode
from medr_jax.sampling.engine import Engine


def run_by_turns(episodes: Iterable[TokenEpisode], engine: Engine, tools: Tools) -> list[Episode]:
    """Token episodes in batches of as many as the engine has slots; results in order.

    The loop that agents of this kind are usually trained with (Search-R1, arXiv:2503.09516): a
    turn of all rollouts that still run is sampled with a cache of its own, whose context, the
    history included, is computed at its start; all tool calls of the turn run at the same time,
    and the next turn waits for the slowest. Programs, weights and noise are the engine's.
    """
    waiting = iter(episodes)
    finished: list[Episode] = []
    while batch := list(itertools.islice(waiting, engine.num_slots)):
        ended: dict[int, Episode] = {}
        rows = dict(enumerate(batch))
        history: dict[int, list[int]] = {index: [] for index in rows}
        requests = _advance(rows, dict.fromkeys(rows), ended)
        while requests:
            asked = {i: r for i, r in requests.items() if isinstance(r, Generate)}
            replies: dict[int, Any] = _sample(asked, history, engine)
            replies |= _call({i: r for i, r in requests.items() if i not in asked}, tools)
            requests = _advance(rows, replies, ended)
        finished += [ended[index] for index in sorted(ended)]
    return finished


def _advance(
    rows: dict[int, TokenEpisode], replies: dict[int, Any], ended: dict[int, Episode]
) -> dict[int, Generate | CallTools]:
    requests = {}
    for index, reply in replies.items():
        try:
            requests[index] = rows[index].send(reply)
        except StopIteration as end:
            ended[index] = end.value
    return requests


def _sample(asked: dict[int, Generate], history: dict[int, list[int]], engine: Engine) -> dict:
    handles = {}
    for index, request in asked.items():
        history[index] += request.new_ids
        handles[index] = engine.open(request.rollout_id)
        engine.extend(handles[index], history[index], request.max_tokens, request.turn)
    while engine.step():
        pass
    sampled = {index: engine.result(handle) for index, handle in handles.items()}
    for index, handle in handles.items():
        history[index] += sampled[index].token_ids
        engine.close(handle)
    return sampled


def _call(asking: dict[int, CallTools], tools: Tools) -> dict:
    results = iter(tools.call_many([call for r in asking.values() for call in r.calls]))
    return {
        index: tuple(itertools.islice(results, len(request.calls)))
        for index, request in asking.items()
    }
