"""Every bad row of graph sources and corpora. Out: a list, problems.jsonl; exit code 1 if any.

python -m experiments.validate_data 'graph.sources=[{format: triples, path: my_graph.tsv}]'
python -m experiments.validate_data corpora=[my_corpus.jsonl]
"""

from experiments._main import entry_point


@entry_point("validate_data", "graph", "paths")
def main(config) -> None:
    """Reads everything, prints each problem as file:line: what is wrong."""
    from medr_jax.launch.validation import validate_data

    if validate_data(config):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
