"""Draws questions for a person to read. Out: sample.md to read, sample.jsonl to label.

python -m experiments.review_sample experiment=paper_data
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point("review_sample", "graph", "index", "tools", "questions", "synthesis", "paths")
def main(config) -> None:
    """Draws the sample and says where it is."""
    from medr_jax.launch.review import review_sample

    console.say(f"sample       {review_sample(config)}")


if __name__ == "__main__":
    main()
