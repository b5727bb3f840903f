"""Speed of training and decoding, beside peers. Out: a table, bench.json.

python -m experiments.bench_model model=bench_3m
python -m experiments.bench_model model=bench_10m peers=[hf,tunix] bench.tasks=[train]
"""

from experiments._main import entry_point


@entry_point("bench_model", "model", "mesh", "bench", "paths")
def main(config) -> None:
    """Measures, prints the table and writes it beside the measurements."""
    from medr_jax.launch.bench.run import bench_model

    bench_model(config)


if __name__ == "__main__":
    main()
