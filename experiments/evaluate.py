"""The live evaluation. In: a checkpoint, trained now if need be. Out: results and a table.

python -m experiments.evaluate experiment=quickstart
python -m experiments.evaluate evaluation=dev checkpoint=artifacts/sft/0123456789abcdef
"""

from experiments._main import entry_point
from medr_jax import console
from medr_jax.eval import arms, tables
from medr_jax.eval import evaluate as evaluation


@entry_point(
    "evaluate",
    "graph",
    "index",
    "tools",
    "diagnosis",
    "questions",
    "synthesis",
    "tokenizer",
    "agent",
    "model",
    "weights",
    "lora",
    "mesh",
    "optimizer",
    "training",
    "watch",
    "data",
    "sampling",
    "evaluation",
    "paths",
)
def main(config) -> None:
    """Evaluates the model and its baselines; prints the tables and wrong answers by class."""
    from medr_jax.eval.render import examples_text
    from medr_jax.launch.evaluation import evaluate

    folder = evaluate(config).artifact.path
    tables.show(tables.standard(evaluation.load_summaries(folder), evaluation.AGENTS))
    console.say(examples_text(arms.examples(evaluation.load_results(folder))))


if __name__ == "__main__":
    main()
