"""The whole loop on the embedded data. Out: a report, a table, and every artifact behind them.

python -m experiments.quickstart
python -m experiments.quickstart seeds=[0,1,2]
"""

from experiments._main import entry_point

GROUPS = (
    *(
        "graph",
        "index",
        "tools",
        "diagnosis",
        "questions",
        "synthesis",
        "tokenizer",
        "agent",
        "model",
    ),
    *("weights", "lora", "mesh", "optimizer", "training", "watch", "data", "sampling"),
    *("evaluation", "paths"),
)


@entry_point("quickstart", *GROUPS)
def main(config) -> None:
    """Runs or reuses every stage, writes the report and prints its table."""
    from medr_jax.launch.quickstart import quickstart

    quickstart(config)


if __name__ == "__main__":
    main()
