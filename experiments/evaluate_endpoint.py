"""The live evaluation of an endpoint's model. In: an OpenAI-compatible endpoint. Out: a table.

python -m experiments.evaluate_endpoint endpoint.model=NAME
python -m experiments.evaluate_endpoint endpoint.model=NAME agents.settings=[tools] \
    evaluation.questions_per_hop=25 endpoint.budget_tokens=1000000
"""

from experiments._main import entry_point
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval import tables


@entry_point(
    "evaluate_endpoint",
    *("graph", "index", "tools", "diagnosis", "questions", "synthesis", "agent", "evaluation"),
    *("endpoint", "agents", "paths"),
)
def main(config) -> None:
    """Asks what is not answered yet, grades, and prints the tables."""
    from medr_jax.launch.endpoint_evaluation import evaluate_endpoint

    summaries = evaluation.load_summaries(evaluate_endpoint(config).path)
    order = [name for name in evaluation.AGENTS if name in summaries]
    endpoint = [name for name in summaries if name not in order]
    tables.show(tables.standard(summaries, [*order, *endpoint]))


if __name__ == "__main__":
    main()
