"""Names in a query, against a search through all of its spans."""

import random

from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index, open_tantivy
from medr_jax.retrieval.query import QueryBuilder


def longest_first(words: list[str], names: set[str]) -> tuple[str, ...]:
    """Spans that are names, longest first, those from the left first, not overlapping."""
    found, taken = [], set()
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            span = range(start, start + length)
            name = " ".join(words[start : start + length])
            if name in names and taken.isdisjoint(span):
                found.append(name)
                taken.update(span)
    return tuple(dict.fromkeys(found))


def test_names_in_a_query_are_those_of_a_search_through_all_spans(tmp_path):
    rng = random.Random(0)
    vocabulary = ["amber", "birch", "cedar", "dune", "ember", "fjord"]
    names = {" ".join(rng.choices(vocabulary, k=rng.randint(1, 5))) for _ in range(60)}
    documents = [Document(doc_id=name, kind="k", title=name, synonyms=()) for name in sorted(names)]
    build_index(documents, tmp_path, IndexConfig())
    index = open_tantivy(tmp_path)
    queries = QueryBuilder(index.searcher(), index.schema, Analyzer(), IndexConfig())
    num_found = 0
    for _ in range(500):
        words = rng.choices([*vocabulary, "other"], k=rng.randint(1, 14))
        phrases = queries.parse(" ".join(words)).phrases
        assert phrases == longest_first(words, names)
        num_found += len(phrases)
    assert num_found > 500
