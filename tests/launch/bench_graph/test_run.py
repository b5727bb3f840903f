import importlib.util
from types import SimpleNamespace

import pytest

from medr_jax.graph.build import assemble
from medr_jax.graph.mondo_table import shipped
from medr_jax.graph.sources.primekg import read_primekg
from medr_jax.launch.bench_graph.config import GraphBenchConfig
from medr_jax.launch.bench_graph.generate import generate_primekg
from medr_jax.launch.bench_graph.run import JSON, TABLE, bench_graph, summarize
from medr_jax.launch.stages import PathsConfig

needs_networkx = pytest.mark.skipif(
    importlib.util.find_spec("networkx") is None, reason="networkx is not installed (extra bench)"
)


@needs_networkx
@pytest.mark.slow
def test_both_sides_find_the_same_chains(tmp_path):
    config = SimpleNamespace(
        graph_bench=GraphBenchConfig(
            num_nodes=1500, num_edges=20_000, num_seeds=40, max_expansions=300, rounds=1
        ),
        paths=PathsConfig(artifacts=str(tmp_path / "artifacts"), runs=str(tmp_path)),
        run_dir=tmp_path / "run",
    )
    config.run_dir.mkdir()
    folder = bench_graph(config)  # raises where a chain differs
    assert "both sides found the same" in (folder / TABLE).read_text()
    assert (folder / JSON).is_file()


def side(chains, seconds):
    numbers = ("load_s", "load_bytes", "chains_s", "bytes_after_chains", "peak_bytes")
    return dict.fromkeys(numbers, seconds) | {"chains": chains}


def test_a_chain_that_differs_ends_the_benchmark():
    rounds = {"ours": [side([[[1, 2], True]], 1)], "networkx": [side([[[1, 3], True]], 9)]}
    with pytest.raises(ValueError, match=r"networkx: chain 0 is \[\[1, 3\], True\]"):
        summarize(rounds, {"nodes": 3, "edges": 2}, GraphBenchConfig())


def test_ratios_are_of_medians_and_goals_are_checked():
    chains = [[[1, 2], True], [[1], False]]
    rounds = {
        "ours": [side(chains, seconds) for seconds in (1, 2, 90)],
        "networkx": [side(chains, seconds) for seconds in (38, 39, 40)],
    }
    report = summarize(rounds, {"nodes": 3, "edges": 2}, GraphBenchConfig())
    assert report["ratios"]["load_s"] == 19.5  # means would give 1.26
    assert report["reached"] == {
        "load_s": False,
        "bytes_after_chains": False,
        "chains_s": True,
    }
    assert (report["chains"], report["mean_hops"], report["proven_longest"]) == (2, 0.5, 1)


def test_the_set_has_the_size_that_was_asked_for(tmp_path):
    generate_primekg(tmp_path, seed=1, num_nodes=2000, num_edges=8000)
    records = read_primekg(tmp_path)
    assert not records.problems
    nodes = [line.split(",") for line in (tmp_path / "nodes.csv").read_text().splitlines()[1:]]
    assert len({(source, one) for _, one, _, _, source in nodes}) == len(nodes)
    assert len(nodes) == pytest.approx(2000, abs=15)
    assert len(records.blocks[0]) == pytest.approx(2 * 8000, rel=0.02)  # both directions
    graph = assemble([records], shipped())
    assert len(graph.columns) == pytest.approx(8000, rel=0.02)
    again = tmp_path / "again"
    generate_primekg(again, seed=1, num_nodes=2000, num_edges=8000)
    assert (again / "edges.csv").read_bytes() == (tmp_path / "edges.csv").read_bytes()
