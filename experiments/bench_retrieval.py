"""Retrieval beside bm25s: quality and speed (extra "bench"). Out: retrieval.md, retrieval.json.

python -m experiments.bench_retrieval
python -m experiments.bench_retrieval retrieval_bench.pubmedqa=ori_pqal.json \
    'retrieval_bench.beir=[nfcorpus, scifact]' retrieval_bench.dense_documents=3500
"""

from experiments._main import entry_point


@entry_point("bench_retrieval", "graph", "index", "retrieval_bench", "paths")
def main(config) -> None:
    """Measures, prints the tables and writes them."""
    from medr_jax.launch.retrieval_bench.run import bench_retrieval

    bench_retrieval(config)


if __name__ == "__main__":
    main()
