"""The client against a real server that misbehaves."""

import asyncio
import concurrent.futures
import threading
import time

import pytest

from medr_jax.endpoint.client import Endpoint
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.endpoint.errors import (
    BudgetSpent,
    ContextTooLong,
    DeadlineExceeded,
    EndpointFailed,
    EndpointRefused,
    ModelFailed,
)
from medr_jax.endpoint.limits import Pace
from medr_jax.endpoint.usage import Usage
from medr_jax.testing import endpoint as fake
from medr_jax.testing.endpoint import EndpointServer, in_turn, message

pytest.importorskip("openai", reason="needs the extra 'endpoint'")

HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
QUICK = {"model": "m", "backoff_s": 0.01, "max_backoff_s": 0.05, "timeout_s": 5.0}


def client(server, **changes):
    return Endpoint(EndpointConfig(base_url=server.base_url, **{**QUICK, **changes}))


def test_a_message_with_tool_calls_and_its_usage():
    said = message("I search.", ("search", {"query": "marfan"}))
    with EndpointServer(in_turn(said)) as server, client(server) as endpoint:
        reply = endpoint.chat(HELLO, tools=[{"name": "search", "parameters": {}}])
    assert reply.content == "I search."
    assert [(call.name, call.arguments) for call in reply.calls] == [
        ("search", '{"query": "marfan"}')
    ]
    assert reply.usage == Usage(input_tokens=10, output_tokens=5, requests=1)
    (asked,) = server.requests
    assert asked["tools"] == [
        {"type": "function", "function": {"name": "search", "parameters": {}}}
    ]
    assert asked["model"] == "m" and asked["messages"] == HELLO


@pytest.mark.parametrize(
    "misdeed",
    [fake.BUSY, fake.BROKEN, fake.GARBAGE, fake.CUT_OFF, fake.HALF_JSON, fake.OTHER_SHAPE],
    ids=["429", "500", "garbage", "cut off", "half JSON", "other shape"],
)
def test_failures_of_the_endpoint_are_retried_and_then_typed(misdeed):
    with EndpointServer(in_turn(misdeed, misdeed, message("at last"))) as server:
        with client(server) as endpoint:
            assert endpoint.chat(HELLO).content == "at last"
            assert endpoint.chat(HELLO).usage.requests == 1
        assert len(server.requests) == 4
    with EndpointServer(in_turn(misdeed)) as server, client(server, max_retries=2) as endpoint:
        with pytest.raises(EndpointFailed, match="after 3 requests"):
            endpoint.chat(HELLO)
        assert len(server.requests) == 3


def test_a_hanging_server_and_one_that_drips_meet_the_deadline_of_a_call():
    drip = fake.Misdeed(body=b" " * 4000, drip_s=0.05)
    with (
        EndpointServer(in_turn(fake.HANG, drip, message("ok"))) as server,
        client(server, timeout_s=0.3) as endpoint,
    ):
        start = time.monotonic()
        assert endpoint.chat(HELLO).content == "ok"
        # A timeout that starts anew with every byte would hold on for 200 s.
        assert time.monotonic() - start < 3


def test_the_deadline_of_a_task_holds_over_retries():
    with (
        EndpointServer(in_turn(fake.BROKEN)) as server,
        client(server, max_retries=1000, backoff_s=0.1, max_backoff_s=0.1) as endpoint,
    ):
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            endpoint.chat(HELLO, deadline=time.monotonic() + 0.4)
        assert time.monotonic() - start < 2
        # Time that is up before the first request: none is made.
        asked = len(server.requests)
        with pytest.raises(DeadlineExceeded):
            endpoint.chat(HELLO, deadline=time.monotonic() - 1)
        assert len(server.requests) == asked


def test_no_server_is_a_failure_of_the_endpoint():
    with EndpointServer(in_turn(message())) as server:
        address = server.base_url
    config = EndpointConfig(base_url=address, **QUICK, max_retries=1)
    with Endpoint(config) as endpoint, pytest.raises(EndpointFailed, match="Connection"):
        endpoint.chat(HELLO)


def test_retry_after_pauses_everybody():
    busy = fake.Misdeed(status=429, headers={"Retry-After": "0.4"})
    with EndpointServer(in_turn(busy, message("ok"))) as server:
        with (
            client(server, max_backoff_s=1.0) as endpoint,
            concurrent.futures.ThreadPoolExecutor() as pool,
        ):
            first = pool.submit(endpoint.chat, HELLO)
            while not server.requests:
                time.sleep(0.01)
            time.sleep(0.1)
            second = pool.submit(endpoint.chat, HELLO)
            assert first.result().content == second.result().content == "ok"
        assert min(server.times[1:]) - server.times[0] >= 0.39


def test_requests_are_spaced():
    async def starts():
        pace, found = Pace(600), []  # 0.1 s apart

        async def start():
            await pace.wait(time.monotonic() + 60)
            found.append(time.monotonic())

        await asyncio.gather(*(start() for _ in range(4)))
        return found

    found = sorted(asyncio.run(starts()))
    assert found[-1] - found[0] >= 0.29


def test_retries_wait_for_their_turn_too():
    server = EndpointServer(in_turn(fake.BROKEN))
    # The second turn comes after 30 s; retries that took no turn would be made at once.
    with server, client(server, requests_per_minute=2) as endpoint:
        with pytest.raises(DeadlineExceeded, match="before the next request"):
            endpoint.chat(HELLO, deadline=time.monotonic() + 10)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error", "wanted", "said"),
    [
        (401, "bad key", EndpointRefused, "api_key_env"),
        (404, "no such model", EndpointRefused, "endpoint.model"),
        (400, "bad field", EndpointRefused, "HTTP 400"),
        (429, "insufficient_quota", EndpointRefused, "no quota"),
        (400, "context_length_exceeded", ContextTooLong, "context_length_exceeded"),
    ],
)
def test_what_asking_again_would_not_help_is_not_retried(status, error, wanted, said):
    refusal = fake.Misdeed(status=status, body=f'{{"error": {{"message": "{error}"}}}}'.encode())
    with EndpointServer(in_turn(refusal)) as server, client(server) as endpoint:
        with pytest.raises(wanted, match=said):
            endpoint.chat(HELLO)
        assert len(server.requests) == 1


def test_structured_output_is_checked_and_asked_for_again():
    answers = [
        message('Sure! {"verdict": "yes"}'),  # to find JSON in a text would be to scan it
        message('{"verdict": "maybe"}'),
        message('{"verdict": "no"}'),
    ]
    with EndpointServer(in_turn(*answers)) as server, client(server) as endpoint:
        answer, used = endpoint.complete_counted(HELLO, SCHEMA)
        assert answer == {"verdict": "no"} and used.requests == 3
        assert server.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    with EndpointServer(in_turn(answers[1])) as server, client(server, max_reasks=1) as endpoint:
        with pytest.raises(ModelFailed, match="maybe|Invalid enum"):
            endpoint.complete(HELLO, SCHEMA)
        assert len(server.requests) == 2
    cut = message('{"verdict": "no"', finish="length")
    with (
        EndpointServer(in_turn(cut)) as server,
        client(server, max_reasks=0) as endpoint,
        pytest.raises(ModelFailed, match="cut off"),
    ):
        endpoint.complete(HELLO, SCHEMA)


def test_the_budget_holds_before_the_request_and_over_runs():
    with EndpointServer(in_turn(message("ok"))) as server:
        limits = {"budget_tokens": 60, "max_completion_tokens": 20}
        with client(server, **limits) as endpoint:
            # A request of 48 bytes may take 16 + 20 tokens and takes 15: two fit, the third
            # could end at 66.
            endpoint.chat(HELLO), endpoint.chat(HELLO)
            assert endpoint.budget.spent.tokens == 30
            with pytest.raises(BudgetSpent, match="budget_tokens=60"):
                endpoint.chat(HELLO)
        assert len(server.requests) == 2
        with client(server, **limits) as endpoint:
            endpoint.budget.spend(Usage(input_tokens=30))
            with pytest.raises(BudgetSpent):
                endpoint.chat(HELLO)
        prices = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
        # 16 + 2 * 20 = 56 millionths
        with (
            client(server, budget_usd=5e-5, max_completion_tokens=20, **prices) as endpoint,
            pytest.raises(BudgetSpent, match="budget_usd"),
        ):
            endpoint.chat(HELLO)
        assert len(server.requests) == 2


def test_an_answer_without_usage_counts_as_much_as_it_may_have_cost():
    with (
        EndpointServer(in_turn(message("ok", usage=False))) as server,
        client(server, max_completion_tokens=20) as endpoint,
    ):
        assert endpoint.chat(HELLO).usage.output_tokens == 20
        assert endpoint.budget.spent.output_tokens == 20


def test_the_key_comes_from_the_environment_and_is_told_to_nobody(monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ValueError, match="MY_KEY.*not set"):
        Endpoint(EndpointConfig(model="m", api_key_env="MY_KEY"))
    monkeypatch.setenv("MY_KEY", "sk-secret")
    refusal = fake.Misdeed(status=401, body=b'{"error": {"message": "wrong key sk-secret"}}')
    with (
        EndpointServer(in_turn(refusal)) as server,
        client(server, api_key_env="MY_KEY") as endpoint,
        pytest.raises(EndpointRefused) as refused,
    ):
        endpoint.chat(HELLO)
    assert "sk-secret" not in str(refused.value) and "<key>" in str(refused.value)
    assert "sk-secret" not in repr(endpoint.config)


def test_closing_ends_requests_under_way():
    with EndpointServer(in_turn(fake.HANG)) as server:
        endpoint = client(server, timeout_s=20.0)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(endpoint.chat, HELLO)
            while not server.requests:
                time.sleep(0.01)
            threading.Timer(0.1, endpoint.close).start()
            with pytest.raises(EndpointFailed, match="closed"):
                waiting.result(timeout=5)
        with pytest.raises(EndpointFailed, match="closed"):
            endpoint.chat(HELLO)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": "localhost:8000"}, "http"),
        ({"base_url": "http://me:secret@host/v1"}, "environment variable"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"max_retries": -1}, "max_retries"),
        ({"budget_usd": 1.0}, "prices"),
    ],
)
def test_mistakes_in_the_config_name_the_field(changes, said):
    with pytest.raises(ValueError, match=said) as wrong:
        EndpointConfig(**changes)
    assert "secret" not in str(wrong.value)


def test_a_model_must_be_named():
    with pytest.raises(ValueError, match=r"endpoint\.model is empty"):
        Endpoint(EndpointConfig())
