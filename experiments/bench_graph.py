"""Our graph beside networkx at PrimeKG's size. Out: a table, bench_graph.json.

python -m experiments.bench_graph
python -m experiments.bench_graph graph_bench.num_nodes=3000 graph_bench.num_edges=60000
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point("bench_graph", "graph_bench", "paths")
def main(config) -> None:
    """Generates the set once, measures both sides and prints the table."""
    from medr_jax.launch.bench_graph.run import JSON, bench_graph

    folder = bench_graph(config)
    console.say(f"results      {folder / JSON}")


if __name__ == "__main__":
    main()
