"""How hard the questions are. In: a dataset. Out: difficulty.jsonl, a table per rung and hop count.

python -m experiments.measure_difficulty experiment=paper_data
python -m experiments.synthesize experiment=paper_data \
    synthesis.difficulty.measured=artifacts/difficulty/0123456789abcdef/difficulty.jsonl
"""

from experiments._main import entry_point
from medr_jax import console, jsonl


@entry_point("measure_difficulty", "graph", "index", "tools", "questions", "synthesis", "paths")
def main(config) -> None:
    """Measures or reuses, prints the tables and says where the file is."""
    from medr_jax.eval import difficulty, tables
    from medr_jax.launch.difficulty import measure_difficulty
    from medr_jax.trajectories.difficulty import FILE, Measured

    file = measure_difficulty(config).path / FILE
    tables.show(difficulty.tables(list(jsonl.read(file, Measured))))
    console.say(f"measured     {file}")


if __name__ == "__main__":
    main()
