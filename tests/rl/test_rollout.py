"""Rollouts keep what was sampled, through the slots and through a file."""

import dataclasses
import threading
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from medr_jax import processes
from medr_jax.agent.drivers import OthersFailed
from medr_jax.agent.loop import AgentLimits
from medr_jax.rl.rollout import Sampler, dump, exchange, read_dump
from medr_jax.testing.tokens import ScriptedEngine, byte_tokenizer, completion_ids, make_question
from medr_jax.tokens.ledger import NO_POLICY
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.types import Hit, Status, ToolCall, ToolResult

SEARCH = ParsedTurn(calls=(ToolCall(name="search", arguments={"query": "fbn1"}),))
ANSWER = ParsedTurn(answer_text="fbn1", cited_labels=(1,))


class Tools:
    """One hit; of the question "down" our side fails."""

    def call_many(self, calls):
        hit = Hit(doc_id="G1", title="FBN1", snippet="gene")
        return [ToolResult(status=Status.OK, hits=(hit,)) for _ in calls]


def sampler(num_slots=3):
    tokenizer = byte_tokenizer()

    def script(rollout_id, turn):
        if rollout_id.startswith("b/") and turn == 1:
            return None  # the engine fails
        return completion_ids((SEARCH, ANSWER)[turn], tokenizer, "compact")

    return Sampler(
        engine=ScriptedEngine(script, num_slots=num_slots),
        tokenizer=tokenizer,
        protocol=get_protocol("compact"),
        tools=Tools(),
        limits=AgentLimits(max_total_tokens=2000),
    )


def test_groups_lie_side_by_side_and_keep_their_ids():
    same = make_question()
    rollouts = sampler()([same, same], ["a", "b"], 2)
    assert [(r.group_id, r.rollout_id) for r in rollouts] == [
        ("a", "a/0"), ("a", "a/1"), ("b", "b/0"), ("b", "b/1"),
    ]  # fmt: skip
    assert [rollout.valid for rollout in rollouts] == [True, True, False, False]
    assert rollouts[0].trajectory.answer.citations == ("G1",)


@pytest.mark.parametrize("overlap", [True, False])
def test_a_tool_that_hangs_costs_its_own_rollout_only(overlap):
    """It hangs until the other three have ended, which without overlap they never do."""
    ended, waited = [], []
    others_ended = threading.Event()

    class Hanging(Tools):
        def call_many(self, calls):
            if calls[0].arguments["query"] == "hang":
                waited.append(others_ended.wait(5.0 if overlap else 0.2))
                return [ToolResult(status=Status.TIMEOUT, text="no answer in time")]
            return super().call_many(calls)

    def note(count):
        ended.append(count)
        if sum(ended) == 3:
            others_ended.set()

    tokenizer = byte_tokenizer()
    hang = ParsedTurn(calls=(ToolCall(name="search", arguments={"query": "hang"}),))

    def script(rollout_id, turn):
        first = hang if rollout_id == "a/0" else SEARCH
        return completion_ids((first, ANSWER)[turn], tokenizer, "compact")

    made = dataclasses.replace(
        sampler(num_slots=4),
        engine=ScriptedEngine(script, num_slots=4),
        tools=Hanging(),
        overlap_tools=overlap,
    )
    rollouts = made([make_question()] * 2, ["a", "b"], 2, note)
    assert waited == [overlap]
    # The model is told of the timeout and answers; nothing of it is in the other rollouts.
    assert [rollout.trajectory.turns[0].results[0].status for rollout in rollouts] == [
        Status.TIMEOUT, Status.OK, Status.OK, Status.OK,
    ]  # fmt: skip
    assert all(rollout.trajectory.answer is not None for rollout in rollouts)


def test_tokens_are_those_the_engine_had():
    made = sampler()
    (rollout,) = made([make_question()], ["a"], 1)
    assert made.engine.histories["a/0"] == rollout.token_ids.tolist()
    assert np.all(rollout.logprobs[rollout.loss_mask] == -0.5)
    assert np.all(np.isnan(rollout.logprobs[~rollout.loss_mask]))
    assert np.array_equal(rollout.policy_versions == NO_POLICY, ~rollout.loss_mask)
    sampled = rollout.token_ids[rollout.loss_mask].tolist()
    written = [completion_ids(turn, made.tokenizer, "compact") for turn in (SEARCH, ANSWER)]
    assert sampled == written[0] + written[1] and rollout.num_sampled == len(sampled)


def test_a_dump_gives_back_exactly_what_went_in(lab, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=6).astype(np.float32)
    written = [
        lab.rollout(number=0, reward=1 / 3, advantage=-0.1, old_logprobs=values),
        lab.rollout(number=1, status=Status.INFRA_ERROR, ref_logprobs=None, terms=None),
    ]
    path = tmp_path / "rollouts" / "000000.jsonl"
    dump(path, written)
    for before, after in zip(written, read_dump(path), strict=True):
        for field in dataclasses.fields(before):
            np.testing.assert_array_equal(getattr(after, field.name), getattr(before, field.name))
        assert after.logprobs.dtype == np.float32 and after.loss_mask.dtype == np.bool_


def test_a_damaged_dump_is_named(lab, tmp_path):
    dump(tmp_path / "d.jsonl", [lab.rollout()])
    text = (tmp_path / "d.jsonl").read_text()
    (tmp_path / "d.jsonl").write_text(text.replace('"turns"', '"turn"'))
    with pytest.raises(ValueError, match="d.jsonl:1: not a RolloutLine"):
        list(read_dump(tmp_path / "d.jsonl"))


@pytest.fixture
def two_processes(monkeypatch):
    """This one's bytes as both processes'; ``two_processes.others`` takes the other's place."""
    state = SimpleNamespace(sent=[], others=None)

    def gather(mine):
        state.sent.append(mine)
        return [mine, mine if state.others is None else state.others]

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(processes, "gather_bytes", gather)
    return state


def test_processes_exchange_all_that_a_rollout_holds(two_processes, lab):
    made = [lab.rollout(), lab.rollout(number=1, ref_logprobs=None)]
    found = exchange(lambda: made)
    assert len(found) == 4
    for mine, theirs in zip(made * 2, found, strict=True):
        for field in dataclasses.fields(mine):
            np.testing.assert_equal(getattr(theirs, field.name), getattr(mine, field.name))


def test_a_failure_between_rollouts_ends_all(two_processes):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exchange(fail)
    assert two_processes.sent == [b""]
    two_processes.others = b""
    with pytest.raises(OthersFailed):
        exchange(list)
