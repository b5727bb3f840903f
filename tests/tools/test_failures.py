"""Failures on purpose."""

import pytest

from medr_jax.tools.base import ToolOutput
from medr_jax.tools.config import ToolsConfig
from medr_jax.tools.failures import FailureConfig, FailureKind, injected
from medr_jax.tools.runtime import ToolRuntime
from medr_jax.types import Status, ToolCall


class Echo:
    name = "echo"
    description = "for tests"
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}

    def __call__(self, text: str = "") -> ToolOutput:
        return ToolOutput(text=text)


def calls(number: int = 400, turn: str = "1") -> list[ToolCall]:
    return [
        ToolCall(name="echo", arguments={"text": str(n)}, call_id=f"{turn}.1")
        for n in range(number)
    ]


def statuses(config: FailureConfig, wanted: list[ToolCall]) -> list[Status]:
    with ToolRuntime([Echo()], ToolsConfig(failures=config)) as runtime:
        return [result.status for result in runtime.call_many(wanted)]


def test_none_unless_asked_for():
    assert set(statuses(FailureConfig(), calls(50))) == {Status.OK}


def test_the_rate_is_kept_and_both_kinds_come():
    found = statuses(FailureConfig(rate=0.3), calls())
    assert 0.2 < 1 - found.count(Status.OK) / len(found) < 0.4
    # Never INFRA_ERROR: that would take the trajectory out of training.
    assert set(found) == {Status.OK, Status.TIMEOUT, Status.TOOL_ERROR}


def test_the_same_seed_fails_the_same_calls_and_a_retry_is_drawn_anew():
    config = FailureConfig(rate=0.5)
    first = statuses(config, calls(100))
    assert first == statuses(config, calls(100))
    assert first != statuses(FailureConfig(rate=0.5, seed=1), calls(100))
    assert first != statuses(config, calls(100, turn="2"))


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (FailureKind.timeout, Status.TIMEOUT, "echo took longer than 20 s"),
        (FailureKind.unavailable, Status.TOOL_ERROR, "echo is not available at the moment; try"),
    ],
)
def test_a_failure_is_typed_and_says_what_happened(kind, status, message):
    failure = injected(calls(1)[0], FailureConfig(rate=1.0, kinds=[kind]), 20.0)
    assert failure.status is status
    assert failure.message.startswith(message)


@pytest.mark.parametrize("wrong", [{"rate": -0.1}, {"rate": 1.1}, {"rate": 0.5, "kinds": []}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="tools.failures."):
        FailureConfig(**wrong)
