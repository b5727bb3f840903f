"""Search index over the graph's documents and files. In: a graph artifact, files. Out: an index.

python -m experiments.build_index
python -m experiments.build_index 'index.sources=[{format: pubmed, path: "pubmed/*.xml.gz"}]'
python -m experiments.build_index index.graph=false index.base=INDEX 'index.delete=["PMID:1"]'
"""

from experiments._main import entry_point
from medr_jax.launch import stages


@entry_point("build_index", "graph", "index", "paths")
def main(config) -> None:
    """Builds or reuses the index and prints its counts."""
    stages.index(config)


if __name__ == "__main__":
    main()
