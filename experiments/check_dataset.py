"""Re-verifies every question and trajectory of a dataset with code that did not make it.

python -m experiments.check_dataset experiment=paper_data
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point("synthesize", "graph", "index", "tools", "questions", "synthesis", "paths")
def main(config) -> None:
    """Counts the violations and lists them in the run's folder; exit code 1 if there are any."""
    from medr_jax.launch import check

    counts = check.check_dataset(config)
    console.facts(counts)
    if counts["question_violations"] or counts["trajectory_violations"]:
        console.say(f"listed       {config.run_dir / check.FILE}")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
