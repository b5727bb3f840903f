"""Vectors beside words, with an encoder made of a table."""

import numpy as np
import pytest

from medr_jax.retrieval import dense, rank
from medr_jax.retrieval.config import Fusion, IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine


class Topics:
    """A vector with a direction a topic: words of one topic are near each other."""

    name = "topics"
    words = ("fever pyrexia hot", "heart cardiac", "zebra horse")

    def __call__(self, texts):
        rows = [
            [0.01 + sum(word in text.lower() for word in topic.split()) for topic in self.words]
            for text in texts
        ]
        vectors = np.asarray(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


DOCUMENTS = (
    Document(doc_id="A", kind="p", title="Pyrexia", source="x", date="2020"),
    Document(doc_id="B", kind="p", title="Cardiac arrest"),
    Document(doc_id="C", kind="q", title="Horse"),
    Document(doc_id="D", kind="q", title="Fever of zebra"),
)


@pytest.fixture(scope="module", params=list(Fusion), ids=lambda fusion: fusion.value)
def engine(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("index")
    build_index(DOCUMENTS, path, IndexConfig(fusion=request.param), embed=Topics())
    return SearchEngine.open(path, embed=Topics())


def ids(engine, query, **options):
    return [hit.doc_id for hit in engine.search(query, **options)]


def test_a_document_without_the_word_is_found_by_meaning(engine):
    # Words alone find only D.
    assert ids(engine, "fever")[:2] == ["D", "A"] or ids(engine, "fever")[:2] == ["A", "D"]
    assert "A" in ids(engine, "hot", num_hits=2)


def test_filters_and_exclusion_hold_for_vectors_too(engine):
    assert set(ids(engine, "hot", kind="q")) == {"C", "D"}
    assert ids(engine, "hot", since="2020") == ["A"]
    assert "A" not in ids(engine, "hot", exclude={"A"})


def test_signs_and_identifiers_have_no_meaning(engine):
    assert ids(engine, "((((") == []
    assert ids(engine, "") == []


def test_an_index_is_opened_with_its_own_encoder_or_by_words_only(tmp_path):
    build_index(DOCUMENTS, tmp_path, IndexConfig(), embed=Topics())
    assert ids(SearchEngine.open(tmp_path), "hot") == []
    other = Topics()
    other.name = "other"
    with pytest.raises(ValueError, match="its vectors are of encoder topics, not of other"):
        SearchEngine.open(tmp_path, embed=other)
    build_index(DOCUMENTS, tmp_path, IndexConfig())
    with pytest.raises(ValueError, match="of encoder none"):
        SearchEngine.open(tmp_path, embed=Topics())


def test_an_empty_index_with_vectors(tmp_path):
    build_index([], tmp_path, IndexConfig(), embed=Topics())
    assert ids(SearchEngine.open(tmp_path, embed=Topics()), "fever") == []


def test_nearest_is_exact_and_in_order():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 8)).astype(np.float16)
    query = rng.normal(size=8).astype(np.float32)
    passes = rng.random(500) < 0.5
    ordinals, cosines = dense.nearest(vectors, query, passes, 10)
    every = vectors.astype(np.float32) @ query
    expected = sorted(np.flatnonzero(passes), key=lambda n: (-every[n], n))[:10]
    assert ordinals.tolist() == expected
    np.testing.assert_allclose(cosines, every[expected], rtol=1e-5)


def test_relevance_never_rises_from_one_stage_to_the_next():
    # A looser stage may score higher (3.0): its documents stay behind.
    found = rank.lexical_relevance(np.array([4.0, 1.0, 3.0, 0.5]))
    np.testing.assert_allclose(found, [1.0, 0.25, 0.25, 0.125])


def test_fusion_by_hand():
    lexical, near = {1: 1.0, 2: 0.5}, {2: 0.9, 3: 0.7}
    by_rank = rank.fused(lexical, near, IndexConfig(rrf_k=1.0))
    # 1: 1/2; 2: 1/3 + 1/2; 3: 1/3; over the largest, 5/6.
    assert by_rank == pytest.approx({1: 0.6, 2: 1.0, 3: 0.4})
    linear = rank.fused(lexical, near, IndexConfig(fusion=Fusion.linear, dense_weight=0.4))
    # 1: .6; 2: .3 + .4; 3: 0; over .7.
    assert linear == pytest.approx({1: 6 / 7, 2: 1.0, 3: 0.0})
