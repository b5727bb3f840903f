"""Latency of the tool servers under many clients (extra "serve"). Out: serving.md, serving.json.

python -m experiments.bench_serving
python -m experiments.bench_serving serving_bench.num_clients=50 serving_bench.seconds=10
"""

from experiments._main import entry_point


@entry_point(
    "bench_serving", "graph", "index", "tools", "diagnosis", "serving", "serving_bench", "paths"
)
def main(config) -> None:
    """Starts each server, asks it by real clients, prints the table and writes it."""
    from medr_jax.launch.serving_bench.run import bench_serving

    bench_serving(config)


if __name__ == "__main__":
    main()
