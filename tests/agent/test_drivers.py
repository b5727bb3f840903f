"""Drivers: order of results, independence of slots, full slots, nothing left open."""

import asyncio
import random
import threading
import time

import numpy as np
import pytest

from medr_jax.agent.drivers import OthersFailed, run_async, run_slots
from medr_jax.agent.loop import AgentLimits, text_episode, token_episode
from medr_jax.testing.tokens import ScriptedEngine, byte_tokenizer, completion_ids, make_question
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.types import Hit, Status, ToolCall, ToolResult

TOKENIZER = byte_tokenizer()
COMPACT = get_protocol("compact")
LIMITS = AgentLimits(max_completion_tokens=60, max_total_tokens=600, max_malformed=0)


class FindingTools:
    """One hit a call."""

    def call_many(self, calls):
        return [
            ToolResult(status=Status.OK, hits=(Hit(doc_id=str(c.arguments["query"]), title="t"),))
            for c in calls
        ]


def turn_of(rollout: int, turn: int) -> ParsedTurn | None:
    """Rollout r calls r % 4 times, then answers with its number; some are broken."""
    rng = random.Random(rollout * 100 + turn)
    if rollout % 11 == 7 and turn == 1:
        return None
    if turn < rollout % 4:
        calls = [f"q{rollout}{turn}{i}" + "x" * rng.randint(0, 9) for i in range(1 + rollout % 2)]
        return ParsedTurn(
            calls=tuple(ToolCall(name="search", arguments={"query": query}) for query in calls)
        )
    return ParsedTurn(answer_text=f"answer {rollout}", cited_labels=(1,) if turn else ())


def script(rollout_id: str, turn: int):
    rollout = int(rollout_id.removeprefix("r"))
    if rollout % 11 == 5:
        return TOKENIZER.encode("talk for as long as it is let, which is sixty tokens at the most")
    said = turn_of(rollout, turn)
    return None if said is None else completion_ids(said, TOKENIZER, "compact")


def run(num_slots: int, count: int = 25, chunk_steps: int = 4, tools=None, **options):
    engine = ScriptedEngine(script, num_slots=num_slots, chunk_steps=chunk_steps)
    tools = tools or FindingTools()
    episodes = (
        token_episode(make_question(), TOKENIZER, COMPACT, LIMITS, rollout_id=f"r{i}")
        for i in range(count)
    )
    return run_slots(episodes, engine, tools, **options), engine, tools


def test_results_are_in_order_and_typed():
    finished = []
    results, engine, _ = run(4, progress=finished.append)
    assert [r.trajectory.trajectory_id for r in results] == [f"r{i}" for i in range(25)]
    for i, result in enumerate(results):
        trajectory = result.trajectory
        if i % 11 == 5:
            assert trajectory.status == Status.TRUNCATED
        elif i % 11 == 7 and i % 4 >= 1:
            assert trajectory.status == Status.INFRA_ERROR
        else:
            assert trajectory.status == Status.OK
            assert trajectory.answer.text == f"answer {i}"
        # What the engine's cache held is the ledger, token for token.
        assert engine.histories[f"r{i}"] == result.ledger.token_ids.tolist()
    assert sum(finished) == 25
    assert engine.num_free == 4


@pytest.mark.parametrize(("num_slots", "chunk_steps"), [(1, 3), (2, 7), (7, 1), (64, 100)])
def test_results_do_not_depend_on_the_slots(num_slots, chunk_steps):
    reference = run(3)[0]
    results = run(num_slots, chunk_steps=chunk_steps)[0]
    for one, other in zip(reference, results, strict=True):
        assert one.trajectory == other.trajectory
        np.testing.assert_array_equal(one.ledger.token_ids, other.ledger.token_ids)


def test_slots_are_kept_full():
    _, engine, _ = run(4, count=40)
    tokens = sum(len(history) for history in engine.histories.values())
    sampled = tokens / 4  # at least a quarter of a history is sampled here
    assert engine.num_steps * 4 * 4 < 3 * sampled + 400


class SlowTools(FindingTools):
    """Takes 50 ms a call; notes how many wait at once, and in which order they end.

    A call whose query begins with ``hanging`` ends only after eight others.
    """

    def __init__(self, hanging="none"):
        self._hanging, self._lock, self._eight = hanging, threading.Lock(), threading.Event()
        self.running = self.most = 0
        self.finished = []

    def call_many(self, calls):
        query = str(calls[0].arguments["query"])
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        if query.startswith(self._hanging):
            assert self._eight.wait(60), "nobody else went on"
        else:
            time.sleep(0.05)
        with self._lock:
            self.running -= 1
            self.finished.append(query)
            if len(self.finished) == 8:
                self._eight.set()
        return super().call_many(calls)


@pytest.mark.parametrize("overlap", [False, True])
def test_slow_tools_change_nothing_but_the_time(overlap):
    tools = SlowTools()
    reference = run(3)[0]
    results, engine, _ = run(8, tools=tools, overlap=overlap)
    assert tools.most > 2
    for one, other in zip(reference, results, strict=True):
        assert one.trajectory == other.trajectory
        np.testing.assert_array_equal(one.ledger.token_ids, other.ledger.token_ids)
    assert engine.num_free == 8


def test_a_tool_that_hangs_holds_up_its_own_rollout_only():
    tools = SlowTools(hanging="q10")  # rollout 1's first call
    results, _, _ = run(2, tools=tools, overlap=True)
    assert [r.trajectory.trajectory_id for r in results] == [f"r{i}" for i in range(25)]
    assert tools.finished[8].startswith("q10")


def test_slots_are_freed_after_an_error():
    class Broken(FindingTools):
        def call_many(self, calls):
            raise KeyboardInterrupt

    engine = ScriptedEngine(script, num_slots=3)
    episodes = [
        token_episode(make_question(), TOKENIZER, COMPACT, LIMITS, rollout_id=f"r{i}")
        for i in range(6)
    ]
    with pytest.raises(KeyboardInterrupt):
        run_slots(episodes, engine, Broken())
    assert engine.num_free == 3


class WithOthers(ScriptedEngine):
    """Other processes have rollouts that sample until step ``until``."""

    until = 0

    def largest(self, number: int) -> int:
        return max(number, 2) if self.num_steps < self.until else number


@pytest.mark.parametrize("count", [0, 3])
def test_a_process_without_rollouts_steps_with_the_others(count):
    engine = WithOthers(script, num_slots=3)
    engine.until = 50
    episodes = [
        token_episode(make_question(), TOKENIZER, COMPACT, LIMITS, rollout_id=f"r{i}")
        for i in range(count)
    ]
    results = run_slots(episodes, engine, FindingTools(), overlap=True)
    assert engine.num_steps == 50
    assert [r.trajectory for r in results] == [r.trajectory for r in run(3, count)[0]]


def test_the_engine_rests_while_all_rollouts_wait_for_tools():
    class Slow(FindingTools):
        def call_many(self, calls):
            time.sleep(0.15)
            return super().call_many(calls)

    quick = run(2, count=4)[1]
    slow = run(2, count=4, tools=Slow(), overlap=True)[1]
    # Each waits alone now and then, where the other samples; never for nothing.
    assert slow.num_steps <= 2 * quick.num_steps


def test_a_process_ends_when_another_has_failed():
    engine = ScriptedEngine(script, num_slots=3)
    engine.largest = lambda number: 3 if engine.num_steps == 2 else number
    episodes = [
        token_episode(make_question(), TOKENIZER, COMPACT, LIMITS, rollout_id=f"r{i}")
        for i in range(6)
    ]
    with pytest.raises(OthersFailed):
        run_slots(episodes, engine, FindingTools())
    assert engine.num_steps == 2 and engine.num_free == 3


def test_a_failure_is_told_to_the_others():
    class Broken(FindingTools):
        def call_many(self, calls):
            raise ZeroDivisionError

    votes = []
    engine = ScriptedEngine(script, num_slots=3)
    engine.largest = lambda number: votes.append(number) or number
    episode = token_episode(make_question(), TOKENIZER, COMPACT, LIMITS, rollout_id="r1")
    with pytest.raises(ZeroDivisionError):
        run_slots([episode], engine, Broken())
    assert votes[-1] == 3 and set(votes[:-1]) <= {1, 2}


def test_no_episodes():
    assert run(2, count=0)[0] == []


def policy(request):
    number = int(request.question.question_id)
    return turn_of(number, len(request.turns)) or ParsedTurn(answer_text="broken")


async def coroutine_policy(request):
    await asyncio.sleep(0)
    return policy(request)


class CoroutinePolicy:
    async def __call__(self, request):
        return policy(request)


@pytest.mark.parametrize("acting", [policy, coroutine_policy, CoroutinePolicy()])
def test_async_results_are_in_order(acting):
    episodes = [text_episode(make_question(question_id=str(i)), LIMITS) for i in range(12)]
    finished = []
    results = asyncio.run(
        run_async(episodes, acting, FindingTools(), concurrency=3, progress=finished.append)
    )
    assert [r.trajectory_id for r in results] == [str(i) for i in range(12)]
    assert [r.num_tool_calls for r in results[:4]] == [0, 2, 2, 6]
    assert sum(finished) == 12


def test_async_tools_wait_together_and_no_more_than_concurrency():
    class Slow(FindingTools):
        running = most = 0

        def call_many(self, calls):
            self.running += 1
            self.most = max(self.most, self.running)
            time.sleep(0.05)
            self.running -= 1
            return super().call_many(calls)

    tools = Slow()
    episodes = [text_episode(make_question(question_id="1"), LIMITS) for _ in range(8)]
    asyncio.run(run_async(episodes, policy, tools, concurrency=4))
    assert 2 <= tools.most <= 4


def test_async_errors_of_a_policy_are_not_swallowed():
    def broken(request):
        raise RuntimeError("bug")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run_async([text_episode(make_question(), LIMITS)], broken, FindingTools()))
    assert caught.group_contains(RuntimeError, match="bug")
