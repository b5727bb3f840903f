"""Search index over the graph's documents. In: a graph artifact, made if missing. Out: an index.

python -m experiments.build_index
"""

from experiments._main import entry_point
from medr_jax.launch import stages


@entry_point("build_index", "graph", "index", "paths")
def main(config) -> None:
    """Builds or reuses the index and prints its counts."""
    stages.index(config)


if __name__ == "__main__":
    main()
