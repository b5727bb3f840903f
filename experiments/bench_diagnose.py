"""How well diagnose ranks, beside Resnik and Lin similarity. Out: diagnose.md, diagnose.json.

python -m experiments.bench_diagnose out=results
python -m experiments.bench_diagnose bench_diagnosis.tasks=[papers]
"""

from experiments._main import entry_point
from medr_jax.launch import diagnosis


@entry_point("bench_diagnose", "graph", "diagnosis", "bench_diagnosis", "paths")
def main(config) -> None:
    """Runs the tasks and writes the tables into ``out``, or into the run directory."""
    diagnosis.bench_diagnose(config)


if __name__ == "__main__":
    main()
