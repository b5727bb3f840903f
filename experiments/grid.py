"""Every arm of the ablations on the tiny model, and the tables. Out: artifacts/grid.

python -m experiments.grid
python -m experiments.grid experiment=smoke grid=smoke out=grid_smoke
"""

from experiments._main import entry_point


@entry_point(
    "grid",
    *("graph", "index", "tools", "questions", "synthesis", "tokenizer", "agent", "model"),
    *("weights", "lora", "mesh", "optimizer", "training", "watch", "data", "sampling"),
    *("diagnosis", "evaluation", "paths", "grid"),
)
def main(config) -> None:
    """Runs or reuses every arm; it may be stopped at any time and started again."""
    from medr_jax.launch.grid.run import run_grid

    run_grid(config)


if __name__ == "__main__":
    main()
