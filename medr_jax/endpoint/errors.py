"""What can go wrong with a request, by whose doing it is.

``EndpointFailed`` is the endpoint's or the network's doing: nothing is known about the model,
so the task is tried again later and never graded. ``ModelFailed`` is the model's own doing.
``EndpointRefused`` and ``BudgetSpent`` end the whole job: asking again would not help.
"""

from medr_jax.endpoint.usage import Usage
from medr_jax.types import Status


class EndpointError(Exception):
    """Base of the failures that concern one task only. ``usage`` is what was spent all the same."""

    status = Status.INFRA_ERROR
    usage = Usage()


class EndpointFailed(EndpointError):
    """No usable answer after all retries: HTTP 429 or 5xx, no connection, damaged answers."""


class DeadlineExceeded(EndpointError):
    """The task's time is up."""

    status = Status.TIMEOUT


class ModelFailed(EndpointError):
    """The model answered, and the answer does not fit what was asked for."""

    status = Status.MODEL_ERROR


class ContextTooLong(EndpointError):
    """The conversation no longer fits the model's context."""

    status = Status.TRUNCATED


class EndpointStop(ValueError):
    """Base of what ends the job. ``usage`` is what the rollout under way had cost by then."""

    usage = Usage()


class EndpointRefused(EndpointStop):
    """The endpoint refuses requests like these: wrong key, unknown model, no quota."""


class BudgetSpent(EndpointStop):
    """The next request could exceed the budget; finished work is kept."""
