"""Verified questions and the expert's trajectories over the live index. Out: a TFDS dataset.

python -m experiments.synthesize
python -m experiments.synthesize experiment=quickstart
python -m experiments.synthesize experiment=paper_data
"""

from experiments._main import entry_point
from medr_jax import console
from medr_jax.launch import stages


@entry_point(
    "synthesize", "graph", "index", "tools", "diagnosis", "questions", "synthesis", "paths"
)
def main(config) -> None:
    """Makes or reuses the dataset and says where its card is."""
    artifact = stages.synthesize(config)
    console.facts(artifact.manifest.counts)
    console.say(f"card         {artifact.path / 'card.md'}, card.html beside it")


if __name__ == "__main__":
    main()
