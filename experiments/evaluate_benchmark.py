"""An agent on a public benchmark. In: its authors' file, a checkpoint or an endpoint. Out: a table.

python -m experiments.evaluate_benchmark benchmark=medqa path=benchmark.json \\
    endpoint.model=NAME agents.settings=[tools,no_tools]
python -m experiments.evaluate_benchmark benchmark=medbrowsecomp path=FILE.csv \\
    endpoint.model=NAME judge.model=JUDGE
python -m experiments.evaluate_benchmark benchmark=pubmedqa path=ori_pqal.json \\
    experiment=quickstart checkpoint=artifacts/sft/0123456789abcdef max_questions=50
"""

from experiments._main import entry_point
from medr_jax.eval import tables


@entry_point(
    "evaluate_benchmark",
    *("graph", "index", "tools", "agent", "mesh", "sampling"),
    *("endpoint", "agents", "judge", "paths"),
)
def main(config) -> None:
    """Asks what is not answered yet, grades, and prints the table."""
    from medr_jax.eval.benchmarks import run
    from medr_jax.launch.benchmark_evaluation import evaluate_benchmark

    tables.show([run.table(*evaluate_benchmark(config))])


if __name__ == "__main__":
    main()
