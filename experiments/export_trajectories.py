"""Trajectories for another trainer. In: a dataset, made now if need be. Out: JSONL and metadata.

python -m experiments.export_trajectories format=trl out=exports/trl
python -m experiments.export_trajectories format=tunix out=exports/tunix experiment=quickstart
python -m experiments.export_trajectories format=verl out=DIR \
    dataset=artifacts/teacher/0123456789abcdef
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "export_trajectories",
    *(
        "graph",
        "index",
        "tools",
        "diagnosis",
        "questions",
        "synthesis",
        "tokenizer",
        "weights",
        "paths",
    ),
)
def main(config) -> None:
    """Writes ``out`` and says how many rows each split has."""
    from medr_jax.launch.export import export_trajectories

    console.facts(export_trajectories(config))


if __name__ == "__main__":
    main()
