"""The graph as triples with provenance. In: a graph artifact, made if missing. Out: a folder.

python -m experiments.export_graph out=exports/hpo
python -m experiments.export_graph out=exports/open format=jsonl license_allow=[HPO]
"""

from experiments._main import entry_point
from medr_jax import artifacts, console
from medr_jax.graph import export
from medr_jax.launch import stages


@entry_point("export_graph", "graph", "paths")
def main(config) -> None:
    """Writes ``out`` and says how many edges its licences kept."""
    if not config.out:
        raise ValueError("out is empty: name the folder to write")
    graph = stages.load_graph(stages.graph(config))
    with artifacts.new_folder(config.out) as folder:
        kept = export.export_graph(
            graph, folder, format=config.format, license_allow=config.license_allow
        )
    console.facts({**kept, "out": config.out, "licences": "; ".join(graph.licences)})


if __name__ == "__main__":
    main()
