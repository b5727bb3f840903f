"""Tool failures on purpose, so that an agent can be trained and tested on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from medr_jax import jsonl
from medr_jax.types import Status, ToolCall


class FailureKind(StrEnum):
    """What goes wrong. Neither is INFRA_ERROR: that takes a trajectory out of training."""

    timeout = "timeout"
    unavailable = "unavailable"


@dataclass(kw_only=True, slots=True)
class FailureConfig:
    """Which share of calls fails, instead of running."""

    rate: float = 0.0
    kinds: list[FailureKind] = field(default_factory=lambda: list(FailureKind))
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"tools.failures.rate={self.rate}: must be from 0 to 1")
        if self.rate and not self.kinds:
            known = [str(kind) for kind in FailureKind]
            raise ValueError(f"tools.failures.kinds=[]: name at least one of {known}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A failure as the model sees it."""

    status: Status
    message: str


def injected(call: ToolCall, config: FailureConfig, timeout_s: float) -> Failure | None:
    """The failure that this call is to have, None for most.

    Depends on the seed, the call's id, name and arguments alone, so that it is the same in every
    run and on every thread; a retry in a later turn has another id and another draw.
    """
    if not config.rate:
        return None
    identity = [config.seed, call.call_id, call.name, call.arguments]
    digest = hashlib.sha256(jsonl.encode(identity)).digest()
    if int.from_bytes(digest[:8]) / 2**64 >= config.rate:
        return None
    return _failure(_chosen(config.kinds, digest), call.name, timeout_s)


def _chosen(kinds: Sequence[FailureKind], digest: bytes) -> FailureKind:
    return kinds[int.from_bytes(digest[8:16]) % len(kinds)]


def _failure(kind: FailureKind, tool: str, timeout_s: float) -> Failure:
    if kind is FailureKind.timeout:
        message = f"{tool} took longer than {timeout_s:g} s"
        return Failure(status=Status.TIMEOUT, message=message)
    message = f"{tool} is not available at the moment; try again or go on without it"
    return Failure(status=Status.TOOL_ERROR, message=message)
