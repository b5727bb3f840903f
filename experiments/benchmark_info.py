"""Counts and majority baseline of a benchmark. In: its authors' file. Shows no text by itself.

python -m experiments.benchmark_info benchmark=pubmedqa path=ori_pqal.json
python -m experiments.benchmark_info benchmark=gaia path=metadata.jsonl subset=file:none
"""

from experiments._main import entry_point
from medr_jax import console
from medr_jax.eval.benchmarks import base, info, registry


@entry_point("benchmark_info", "paths")
def main(config) -> None:
    """Prints the facts; with ``reveal=true`` also the first ``num_revealed`` questions."""
    benchmark = registry.get(config.benchmark)
    if not config.path:
        raise ValueError(f"path=...: name {benchmark.expected}")
    items = base.select(benchmark.load(config.path), config.subset)
    console.facts(info.describe(benchmark, items))
    if config.reveal:
        for item in items[: config.num_revealed]:
            console.facts(base.revealed(item))


if __name__ == "__main__":
    main()
