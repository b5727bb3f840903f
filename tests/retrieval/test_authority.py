"""Authority, filters and what they do to a ranking."""

import numpy as np
import pytest

from medr_jax.retrieval.authority import AUTHORITY, Evidence, strongest, with_recency
from medr_jax.retrieval.cache import QueryCache
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine

SAME = "Zebra fever in adults"


def article(doc_id, evidence, date="2020-01-01", title=SAME, **fields):
    if evidence:
        fields |= {"evidence": evidence.value, "authority": AUTHORITY[evidence]}
    return Document(doc_id=doc_id, kind="article", title=title, date=date, **fields)


ARTICLES = (
    article("A", Evidence.OPINION, source="P"),
    article("B", Evidence.SYSTEMATIC_REVIEW, source="P"),
    article("C", Evidence.RETRACTED, source="P"),
    article("D", Evidence.RANDOMISED_TRIAL, source="P"),
    article("E", Evidence.RANDOMISED_TRIAL, date="2000-01-01", source="P"),
    article("F", None, date="", source="Q", authority=0.5),
    article("G", None, date="1990", source="Q", authority=0.5),
    Document(doc_id="H", kind="trial", title="Zebra fever", source="R", date="2021-06"),
)


def ids(engine, query, **options):
    return [hit.doc_id for hit in engine.search(query, num_hits=9, **options)]


def test_the_table_falls_with_the_strength_of_evidence():
    values = [AUTHORITY[evidence] for evidence in Evidence]
    assert values == sorted(values, reverse=True)
    assert (values[0], values[-1]) == (1.0, 0.0)


def test_the_strongest_type_counts_and_a_retraction_outweighs_it():
    assert strongest([Evidence.ARTICLE, Evidence.SYSTEMATIC_REVIEW]) == "systematic_review"
    assert strongest([Evidence.RETRACTED, Evidence.SYSTEMATIC_REVIEW]) == "retracted"
    assert strongest([]) == "article"


def test_recency_by_hand():
    # Half of the share is lost in one half-life: 1 - 0.4 * (1 - 0.5) = 0.8. The last one states
    # no evidence: 0.5, though its source calls it 1.0.
    found = with_recency(
        np.array([1.0, 1.0, 1.0, 1.0]),
        np.array([20200101, 20100101, 0, 20100101]),
        np.array([1, 1, 1, 0]),
        newest=20200100,
        share=0.4,
        half_life_years=10.0,
    )
    np.testing.assert_allclose(found, [1.0, 0.8, 0.6, 0.5], atol=1e-6)


def test_by_default_equal_titles_are_in_order_of_id(make_engine):
    assert ids(make_engine(ARTICLES), "zebra fever adults")[:7] == list("ABCDEFG")


def test_authority_orders_what_is_equally_relevant(make_engine):
    engine = make_engine(ARTICLES, relevance_weight=0.4)
    # 0.4 * relevance is the same for A to G; H has authority 1 and fewer of the words.
    # By hand: B 1 * (1 - .3 * (1 - 2^-.1417)) = .972, D .875, E .690, F = G = .5, A .194, C 0.
    found = [doc_id for doc_id in ids(engine, "zebra fever adults") if doc_id != "H"]
    assert found == list("BDEFGAC")


def test_relevance_outweighs_authority_when_it_should(make_engine):
    documents = [
        article("A", Evidence.OPINION, title="Zebra fever"),
        article("B", Evidence.SYSTEMATIC_REVIEW, title="Fever"),
        *(article(f"X{n}", Evidence.ARTICLE, title=f"Fever {n}") for n in range(20)),
    ]
    assert ids(make_engine(documents, relevance_weight=0.9), "zebra fever")[0] == "A"
    assert ids(make_engine(documents, relevance_weight=0.0), "zebra fever")[0] == "B"


def test_where_authorities_agree_no_weight_of_theirs_changes_an_order(make_engine):
    """Also where a document of a looser stage has a higher score than those before it."""
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(12)]
    documents = [
        Document(
            doc_id=f"D{n:02}",
            kind="disease",
            title=" ".join(rng.choice(words, 3)),
            segments=(" ".join(rng.choice(words, int(rng.integers(1, 30)))),),
        )
        for n in range(60)
    ]
    queries = [" ".join(rng.choice(words, 4)) for _ in range(20)]
    plain, *others = (make_engine(documents, relevance_weight=weight) for weight in (1.0, 0.4, 0.0))
    for query in queries:
        for engine in others:
            assert ids(engine, query) == ids(plain, query)


def test_a_named_document_comes_first_whatever_its_authority(make_engine):
    named = [article("PMID:7", Evidence.RETRACTED), article("PMID:8", Evidence.GUIDELINE)]
    assert ids(make_engine(named, relevance_weight=0.4), "PMID:7 zebra")[0] == "PMID:7"


def test_retracted_articles_are_flagged(make_engine):
    titles = {h.doc_id: h.title for h in make_engine(ARTICLES).search("zebra", num_hits=9)}
    assert titles["C"] == f"[RETRACTED] {SAME}"
    assert titles["B"] == SAME


def test_filters(make_engine):
    engine = make_engine(ARTICLES)
    assert engine.sources == ("P", "Q", "R")
    assert ids(engine, "zebra", source="Q") == ["F", "G"]
    assert ids(engine, "zebra", kind="trial") == ["H"]
    assert ids(engine, "zebra", since="2020-02") == ["H"]
    # A year means all of it; the undated F is in no range.
    assert ids(engine, "zebra", until="2000") == ["E", "G"]
    assert ids(engine, "zebra", since="1990", until="2000", source="P") == ["E"]
    assert ids(engine, "zebra", source="none") == []
    with pytest.raises(ValueError, match="since='soon'"):
        engine.search("zebra", since="soon")


def test_filters_do_not_change_scores(make_engine):
    engine = make_engine(ARTICLES)
    free = {h.doc_id: h.score for h in engine.search("zebra adults", num_hits=9)}
    for hit in engine.search("zebra adults", num_hits=9, source="P", since="2001"):
        assert hit.score == free[hit.doc_id]


def test_the_cache_keeps_answers_by_index(tmp_path, corpus):
    cache = QueryCache(max_entries=2)
    engines = []
    for name, documents in (("a", corpus), ("b", corpus[1:])):
        build_index(documents, tmp_path / name, IndexConfig())
        engines.append(SearchEngine.open(tmp_path / name, cache=cache))
    first = engines[0].search("marfan")
    assert engines[0].search("marfan") == first
    assert (cache.hits, cache.misses) == (1, 1)
    # The other index answers for itself; a caller's changes do not reach the cache.
    assert engines[1].search("marfan") != first
    engines[1].search("marfan").clear()
    assert engines[1].search("marfan") != []
    assert engines[0].search("marfan", exclude=frozenset({"D:1"})) != first
    assert engines[0].search("marfan", exclude=["D:1"]) != first  # not hashable: not kept
    assert cache.misses == 3
    with pytest.raises(ValueError, match="max_entries=0"):
        QueryCache(0)


def test_options_change_the_hash_and_defaults_do_not(tmp_path, corpus):
    hashes = {
        build_index(corpus, tmp_path, IndexConfig(**options)).content_hash
        for options in ({}, {"pool": 100}, {"spellings": True}, {"relevance_weight": 0.4})
    }
    assert len(hashes) == 3
    with pytest.raises(ValueError, match="index.relevance_weight=1.5"):
        IndexConfig(relevance_weight=1.5)
