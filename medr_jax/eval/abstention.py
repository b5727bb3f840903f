"""What an agent that may abstain answers, how often wrongly, and what trivial policies get."""

from collections.abc import Sequence

from medr_jax.eval import statistics
from medr_jax.eval.metrics import Result
from medr_jax.eval.statistics import Cell
from medr_jax.rl import rewards


def risk_coverage(results: Sequence[Result], abstentions: Sequence[str]) -> dict[str, Cell]:
    """Shares over the rollouts that our side did not fail, each with its interval.

    ``coverage``: answered at all; ``risk``: wrong among those answered (an answer to an
    unanswerable question is wrong); ``score``: right, abstentions on unanswerable questions
    included. Baselines: ``always_abstain`` is right on what is unanswerable and nothing else;
    ``never_abstain`` counts this agent's abstentions as wrong everywhere.
    """
    graded = [result.trajectory for result in results if not result.infra_failed]
    abstained = [rewards.abstains(one, abstentions) for one in graded]
    answered = [
        one.answer is not None and not abstains
        for one, abstains in zip(graded, abstained, strict=True)
    ]
    right = [rewards.is_right(one, abstentions) for one in graded]
    right_answers = sum(a and r for a, r in zip(answered, right, strict=True))
    unanswerable = sum(one.question.is_unanswerable for one in graded)
    n = len(graded)
    return {
        "coverage": statistics.wilson(sum(answered), n),
        "risk": statistics.wilson(sum(answered) - right_answers, sum(answered)),
        "score": statistics.wilson(sum(right), n),
        "always_abstain": statistics.wilson(unanswerable, n),
        "never_abstain": statistics.wilson(right_answers, n),
    }
