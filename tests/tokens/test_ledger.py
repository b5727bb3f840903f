"""The ledger: append-only, one mask rule, the same for text and for sampled tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.agent.drivers import run_sequential, run_slots
from medr_jax.agent.loop import AgentLimits, text_episode, token_episode
from medr_jax.testing.tokens import ScriptedEngine, byte_tokenizer, completion_ids, make_question
from medr_jax.tokens.ledger import (
    NO_POLICY,
    PROMPT_TURN,
    Ledger,
    ledger_from_trajectory,
    role_counts,
)
from medr_jax.tokens.protocol import ParsedTurn, Role, get_protocol, texts
from medr_jax.types import Hit, Status, ToolCall, ToolResult, Trajectory, Turn

NAMES = ("compact", "chatml")
TOKENIZERS = {name: byte_tokenizer(name) for name in NAMES}
BOTH = pytest.mark.parametrize("name", NAMES)
WIDE = AgentLimits(max_completion_tokens=2000, max_total_tokens=20_000)


class EchoTools:
    """Search finds two documents named after the query; anything else fails."""

    def call_many(self, calls):
        results = []
        for call in calls:
            query = str(call.arguments.get("query", ""))
            if call.name != "search":
                results.append(ToolResult(status=Status.TOOL_ERROR, text="<|end|> no such tool"))
            else:
                key = "".join(filter(str.isalnum, query.lower()))[:3]
                hits = tuple(
                    Hit(doc_id=f"{key}{i}", title=f"T {query}", snippet="<answer> x")
                    for i in range(2)
                )
                results.append(ToolResult(status=Status.OK, hits=hits))
        return results


def test_small_ledger_by_hand():
    tokenizer, protocol = TOKENIZERS["compact"], get_protocol("compact")
    ledger = Ledger(tokenizer, protocol)
    ledger.append_context(protocol.prompt("q", ()))
    turn = ParsedTurn(thought="t", answer_text="a", cited_labels=(1,))
    ledger.append_text_completion(turn)
    # <|user|> " " q <|assistant|> | <think> " " t <answer> " " a <cite> " " 1 <|end|>
    # A mask that leaves end-of-turn out ends in 0; one shifted by one starts at <|assistant|>.
    assert ledger.loss_mask.tolist() == [False] * 4 + [True] * 10
    role = Role
    assert ledger.roles.tolist() == (
        [role.HEADER, role.USER, role.USER, role.HEADER]
        + [role.THOUGHT] * 3
        + [role.ANSWER] * 3
        + [role.CITE] * 3
        + [role.END]
    )
    assert ledger.turns.tolist() == [PROMPT_TURN] * 4 + [0] * 10
    assert ledger.token_ids[0] == tokenizer.control("<|user|>")
    assert np.isnan(ledger.logprobs).all()
    assert (ledger.policy_versions == NO_POLICY).all()
    assert role_counts(ledger) == {
        "user": 2,
        "header": 2,
        "thought": 3,
        "answer": 3,
        "cite": 3,
        "end": 1,
    }
    dtypes = (ledger.token_ids, ledger.roles, ledger.turns, ledger.logprobs, ledger.loss_mask)
    assert [array.dtype for array in dtypes] == [np.int32, np.int8, np.int32, np.float32, bool]


def test_sampled_tokens_stand_as_they_were_sampled():
    tokenizer, protocol = TOKENIZERS["compact"], get_protocol("compact")
    ledger = Ledger(tokenizer, protocol)
    ledger.append_context(protocol.prompt("q", ()))
    start = len(ledger)
    wild = [tokenizer.control("<|tool|>"), 7, 7, tokenizer.control("<|user|>")]
    ledger.append_completion(wild, [-0.1, -0.2, -0.3, -0.4], policy_version=5)
    assert ledger.token_ids_from(start) == wild
    assert ledger.loss_mask[start:].all()
    np.testing.assert_allclose(ledger.logprobs[start:], [-0.1, -0.2, -0.3, -0.4])
    assert ledger.policy_versions.tolist() == [NO_POLICY] * start + [5] * 4
    ledger.append_context(protocol.observation([]))
    assert ledger.turns[-1] == 0 and not ledger.loss_mask[-1]


def test_context_and_completions_alternate():
    tokenizer, protocol = TOKENIZERS["compact"], get_protocol("compact")
    ledger = Ledger(tokenizer, protocol)
    with pytest.raises(AssertionError):
        ledger.append_completion([1])
    ledger.append_context(protocol.prompt("q", ()))
    with pytest.raises(AssertionError):
        ledger.append_context(protocol.prompt("q", ()))
    with pytest.raises(AssertionError):
        ledger.append_completion([1, 2], [-0.5])
    ledger.append_completion([1])
    with pytest.raises(AssertionError, match="role of the model"):
        ledger.append_context(protocol.completion(ParsedTurn(answer_text="x")))


words = st.text(st.sampled_from("abz AZ09.,-()é<|>_:"), min_size=1, max_size=12).filter(
    lambda text: text.strip(" :;=") != ""
)
calls = st.one_of(
    words.map(lambda w: ToolCall(name="search", arguments={"query": w})),
    words.map(lambda w: ToolCall(name="search", arguments={"query": w, "kind": "gene"})),
    st.sampled_from(["1", "2", "x1"]).map(lambda w: ToolCall(name="read", arguments={"doc_id": w})),
)
SEED = ParsedTurn(calls=(ToolCall(name="search", arguments={"query": "labels 1 and 2"}),))
acting = st.builds(
    lambda thought, made: ParsedTurn(thought=thought, calls=tuple(made)),
    st.one_of(st.just(""), words),
    st.lists(calls, min_size=1, max_size=3),
)
answering = st.builds(
    lambda thought, answer, labels: ParsedTurn(
        thought=thought, answer_text=answer, cited_labels=tuple(labels)
    ),
    words,
    words,
    st.lists(st.integers(1, 2), unique=True, max_size=2),
)


@BOTH
@given(acts=st.lists(acting, max_size=3), answer=answering, question=words)
@settings(max_examples=60, deadline=None)
def test_text_and_sampled_ledgers_agree(name, acts, answer, question):
    tokenizer, protocol = TOKENIZERS[name], get_protocol(name)
    turns = [SEED, *acts, answer]
    asked = make_question(question)
    trajectory = run_sequential(
        text_episode(asked, WIDE), lambda request: turns[len(request.turns)], EchoTools()
    )
    ledger = ledger_from_trajectory(trajectory, tokenizer, protocol)
    spans = [np.flatnonzero((ledger.turns == t) & ledger.loss_mask) for t in range(len(turns))]
    sampled = [ledger.token_ids[span].tolist() for span in spans]
    engine = ScriptedEngine(lambda rollout_id, turn: sampled[turn])
    (episode,) = run_slots([token_episode(asked, tokenizer, protocol, WIDE)], engine, EchoTools())
    assert episode.trajectory.status == trajectory.status == Status.OK
    for field in ("token_ids", "roles", "turns", "loss_mask"):
        np.testing.assert_array_equal(getattr(episode.ledger, field), getattr(ledger, field))
    assert engine.histories["q/0"] == ledger.token_ids.tolist()
    assert np.isfinite(episode.ledger.logprobs[episode.ledger.loss_mask]).all()
    assert np.isnan(episode.ledger.logprobs[~episode.ledger.loss_mask]).all()


@BOTH
@given(acts=st.lists(acting, max_size=3), answer=answering, question=words)
@settings(max_examples=60, deadline=None)
def test_trained_on_is_exactly_what_the_model_must_produce(name, acts, answer, question):
    tokenizer, protocol = TOKENIZERS[name], get_protocol(name)
    turns = [SEED, *acts, answer]
    trajectory = run_sequential(
        text_episode(make_question(question), WIDE),
        lambda request: turns[len(request.turns)],
        EchoTools(),
    )
    ledger = ledger_from_trajectory(trajectory, tokenizer, protocol)
    expected = [token for turn in turns for token in completion_ids(turn, tokenizer, name)]
    assert ledger.token_ids[ledger.loss_mask].tolist() == expected
    # One end-of-turn for each turn although documents and questions are full of look-alikes.
    end = protocol.stop_ids(tokenizer)[0]
    ends = (ledger.token_ids == end) & ledger.loss_mask
    assert ends.sum() == len(turns)
    assert (ledger.roles[ends] == Role.END).all()


def test_malformed_and_unfinished_trajectories():
    tokenizer, protocol = TOKENIZERS["compact"], get_protocol("compact")
    broken = Turn(status=Status.MODEL_ERROR, error="neither a tool call nor an answer")
    trajectory = Trajectory(
        trajectory_id="t7", question=make_question(), turns=(broken,), status=Status.MODEL_ERROR
    )
    with pytest.raises(ValueError, match="'t7', turn 0: neither.*filter"):
        ledger_from_trajectory(trajectory, tokenizer, protocol)
    assert list(texts(trajectory, protocol)) == ["which gene ?"]
    empty = Trajectory(
        trajectory_id="t8", question=make_question(), turns=(), status=Status.TRUNCATED
    )
    assert not ledger_from_trajectory(empty, tokenizer, protocol).loss_mask.any()
