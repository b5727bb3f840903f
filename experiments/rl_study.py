"""RL against its controls, and each reward term's share. Out: study.md, study.json, curves.png.

python -m experiments.rl_study
python -m experiments.rl_study study.seeds=[0] study.arms=[sft,rl,more_sft,filtered_sft]
"""

from experiments._main import entry_point


@entry_point(
    "rl_study",
    *("graph", "index", "tools", "questions", "synthesis", "tokenizer", "agent", "model"),
    *("weights", "lora", "mesh", "optimizer", "training", "data", "watch", "sampling"),
    *("evaluation", "paths", "rl", "study"),
)
def main(config) -> None:
    """Trains and asks every arm; finished arms are reused, so it may be stopped at any time."""
    from medr_jax.launch.study.run import run_study

    run_study(config)


if __name__ == "__main__":
    main()
