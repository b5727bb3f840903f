"""What a chat endpoint is told and what its replies become."""

import json

import pytest

from medr_jax.agent.chat import ChatPolicy, SingleShotPolicy, conversation, opening, read
from medr_jax.agent.drivers import run_sequential
from medr_jax.agent.loop import AgentLimits, text_episode
from medr_jax.endpoint.errors import ContextTooLong, DeadlineExceeded, EndpointFailed, ModelFailed
from medr_jax.endpoint.usage import Usage
from medr_jax.endpoint.wire import CallText, Reply
from medr_jax.testing.tokens import converse, make_question
from medr_jax.types import Hit, Status, ToolResult

SEARCH = {"name": "search", "description": "d", "parameters": {"type": "object"}}


def reply(content="", *calls, finish="stop"):
    written = tuple(
        CallText(
            call_id="c", name=name, arguments=given if isinstance(given, str) else json.dumps(given)
        )
        for name, given in calls
    )
    used = Usage(input_tokens=7, output_tokens=3, requests=1)
    return Reply(content=content, calls=written, finish=finish, usage=used, context_tokens=10)


class Scripted:
    """Replies, or errors to raise, one after the other; keeps what it was asked."""

    def __init__(self, *said):
        self.said, self.asked = list(said), []

    def chat(self, messages, *, tools=(), deadline=None):
        self.asked.append((messages, tools))
        return self._next()

    def complete_counted(self, messages, schema, *, deadline=None):
        self.asked.append((messages, schema))
        return self._next(), Usage(requests=1)

    def task_deadline(self):
        return 1e9

    def _next(self):
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


class OneHit:
    def call_many(self, calls):
        hit = Hit(doc_id="D1", title="Marfan syndrome", snippet="Associated genes: FBN1.")
        return [ToolResult(status=Status.OK, hits=(hit,), call_id=call.call_id) for call in calls]


def run(policy, **limits):
    return run_sequential(text_episode(make_question(), AgentLimits(**limits)), policy, OneHit())


def test_a_whole_episode_and_what_the_endpoint_was_told():
    endpoint = Scripted(
        reply("I look.", ("search", {"query": "marfan", "kind": None})),
        reply("It says so.", ("answer", {"text": "FBN1", "citations": [1]})),
    )
    policy = ChatPolicy(endpoint, [SEARCH], scaffold="the outline")
    trajectory = run(policy)
    assert trajectory.status is Status.OK
    assert (trajectory.answer.text, trajectory.answer.citations) == ("FBN1", ("D1",))
    assert policy.usage == Usage(input_tokens=14, output_tokens=6, requests=2)
    messages, tools = endpoint.asked[1]
    assert [tool["name"] for tool in tools] == ["search", "answer"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]
    assert messages[1]["content"].endswith("the outline")
    assert json.loads(messages[2]["tool_calls"][0]["function"]["arguments"])["query"] == "marfan"
    assert messages[3]["tool_call_id"] == messages[2]["tool_calls"][0]["id"]
    assert messages[3]["content"] == "[1] Marfan syndrome: Associated genes: FBN1."
    assert not any("outline" in text for text in (trajectory.question.text, str(trajectory.turns)))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (reply("just text"), "neither"),
        (reply("", ("search", '{"query": ')), "not the expected JSON"),
        (reply("", ("search", '["marfan"]')), "not the expected JSON"),
        (reply("", ("search", {"query": {"text": "x"}})), "arguments of search"),
        (reply("", ("answer", {"text": "a", "citations": []}), ("search", {})), "not both"),
        (reply("", ("answer", {"text": "a"}), ("answer", {"text": "b"})), "two answers"),
        (reply("", ("answer", {"text": " "})), "empty"),
        (reply("", ("answer", {"text": "a", "citations": ["one"]})), "numbers"),
        (reply("", ("answer", {"result": "a"})), "not the expected JSON"),
    ],
)
def test_malformed_replies_are_the_models_own_doing_and_it_is_told(said, problem):
    turn = read(said)
    assert turn.status is Status.MODEL_ERROR and problem in turn.error
    endpoint = Scripted(said, reply("", ("answer", {"text": "FBN1", "citations": []})))
    trajectory = run(ChatPolicy(endpoint, [SEARCH]))
    assert trajectory.status is Status.OK and trajectory.turns[0].status is Status.MODEL_ERROR
    told = endpoint.asked[1][0][-1]
    assert told["role"] == "user" and problem in told["content"]


def test_a_reply_that_was_cut_off_is_not_taken_for_an_answer():
    cut = reply("", ("answer", {"text": "FB", "citations": []}), finish="length")
    assert run(ChatPolicy(Scripted(cut), [SEARCH])).status is Status.TRUNCATED


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (EndpointFailed("busy"), Status.INFRA_ERROR),
        (DeadlineExceeded("late"), Status.TIMEOUT),
        (ContextTooLong("long"), Status.TRUNCATED),
    ],
)
def test_failures_end_the_episode_with_their_status_and_no_answer(failure, status):
    failure.usage = Usage(requests=3)
    policy = ChatPolicy(Scripted(failure), [SEARCH])
    trajectory = run(policy)
    assert (trajectory.status, trajectory.answer) == (status, None)
    assert policy.usage.requests == 3


def test_one_search_then_a_structured_answer():
    endpoint = Scripted({"text": "FBN1", "citations": [1]})
    trajectory = run(SingleShotPolicy(endpoint, search=True))
    assert trajectory.turns[0].calls[0].arguments == {"query": "which gene ?"}
    assert (trajectory.answer.text, trajectory.answer.citations) == ("FBN1", ("D1",))
    assert "Associated genes: FBN1" in endpoint.asked[0][0][1]["content"]


def test_without_tools_there_is_nothing_to_cite():
    trajectory = run(SingleShotPolicy(Scripted({"text": "FBN1", "citations": [1]}), search=False))
    assert trajectory.num_tool_calls == 0
    assert (trajectory.answer.text, trajectory.answer.citations) == ("FBN1", ())
    failed = ModelFailed("no answer fits")
    trajectory = run(SingleShotPolicy(Scripted(failed, failed), search=False))
    assert (trajectory.status, trajectory.answer) == (Status.MODEL_ERROR, None)


def test_several_calls_of_one_turn_are_answered_one_by_one():
    messages = conversation(converse(Hit(doc_id="D1", title="Marfan")).turns[:1])
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool"]
    calls = messages[0]["tool_calls"]
    assert [call["id"] for call in calls] == [m["tool_call_id"] for m in messages[1:]]
    assert opening("q", "s") == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
    ]
