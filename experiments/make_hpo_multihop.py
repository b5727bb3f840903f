"""Our multi-hop benchmark: identifiers with hashes, a card, and the questions themselves.

python -m experiments.make_hpo_multihop experiment=quickstart
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "make_hpo_multihop", "graph", "index", "tools", "diagnosis", "questions", "synthesis", "paths"
)
def main(config) -> None:
    """Makes or reuses the benchmark of ``split`` and says where it is."""
    from medr_jax.launch.benchmark import make_hpo_multihop

    artifact = make_hpo_multihop(config)
    console.say(f"card         {artifact.path / 'card.md'}")


if __name__ == "__main__":
    main()
