"""All benchmarks by name."""

from medr_jax.eval.benchmarks import (
    gaia,
    hpo_multihop,
    medbrowsecomp,
    mirage,
    pubmedqa,
    rarebench,
    xbench,
)
from medr_jax.eval.benchmarks.base import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        hpo_multihop.BENCHMARK,
        medbrowsecomp.BENCHMARK,
        xbench.BENCHMARK,
        gaia.BENCHMARK,
        pubmedqa.BENCHMARK,
        *mirage.BENCHMARKS,
        rarebench.BENCHMARK,
    )
}


def get(name: str) -> Benchmark:
    """The benchmark called ``name``. Raises ValueError that lists the names."""
    if name not in BENCHMARKS:
        raise ValueError(f"benchmark={name!r}: unknown; choose from {sorted(BENCHMARKS)}")
    return BENCHMARKS[name]
