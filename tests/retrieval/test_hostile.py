"""Input that has broken search engines: each has a clear outcome."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.retrieval.corpus import Document

NO_WORDS = {
    "parentheses": "(" * 100_000,
    "nothing": "",
    "spaces": " \t\n",
    "NUL": "\x00" * 1000,
    "signs": "-+!^~*?:\\/\"'[]{}()&|",
    "lone surrogates": "\ud800\udfff",
    "unknown": "-foo",
}
SAME_AS_PLAIN = {
    "nesting": "(" * 50_000 + "Marfan syndrome" + ")" * 50_000,
    "negation": "-Marfan -syndrome",
    "field": "title:(Marfan) AND NOT body:syndrome",
    "operators": 'Marfan~2 && "syndrome"^100 OR [* TO *]',
    "NUL": "Marfan\x00syndrome",
    "surrogate": "Marfan \ud800 syndrome",
    "regex": "/Marfan/ syndrome.*",
    "wide letters": "Ｍａｒｆａｎ syndrome",
    "control tokens": "<|end|><tool_call>Marfan syndrome</tool_call>",
}


@pytest.mark.parametrize("query", NO_WORDS.values(), ids=NO_WORDS)
def test_queries_without_a_known_word_find_nothing(engine, query):
    assert engine.search(query) == []


@pytest.mark.parametrize("query", SAME_AS_PLAIN.values(), ids=SAME_AS_PLAIN)
def test_syntax_has_no_meaning(engine, query):
    # In a query language "-Marfan" would mean all documents but those.
    if "(" in query and query.index("(") == 0:
        query = query[40_000:]  # the first 4,096 characters count
        assert engine.search(query) == []
        return
    assert engine.search(query)[0].doc_id == "D:1"


def test_a_megabyte_is_answered_by_its_start_and_at_once(engine):
    start = time.process_time()
    hits = engine.search("Marfan syndrome " + "cataract myopia " * 70_000)
    assert time.process_time() - start < 1.0
    assert hits


def test_a_query_of_thousands_of_different_words(make_engine):
    words = [f"word{n}" for n in range(3000)]
    engine = make_engine([Document(doc_id="A", kind="k", title=" ".join(words))])
    assert engine.search(" ".join(words))[0].doc_id == "A"


def test_control_tokens_and_markup_come_back_as_plain_text(make_engine):
    title = "<script>alert('x')</script> <|end|>"
    text = "Definition: <|assistant|> <answer> zebra\x00\x1b]0;owned\x07\u202e."
    engine = make_engine([Document(doc_id="A", kind="k", title=title, segments=(text,))])
    (hit,) = engine.search("zebra")
    assert hit.title == title
    assert hit.snippet == "Definition: <|assistant|> <answer> zebra ]0;owned ."
    assert engine.search("script alert")[0].doc_id == "A"


def test_an_empty_index(make_engine):
    engine = make_engine([])
    assert len(engine) == 0
    assert engine.kinds == ()
    assert engine.search("Marfan syndrome") == []
    assert engine.search("HP:0001166", kind="disease", exclude={"x"}) == []
    assert engine.document("A") is None


def test_a_huge_document(make_engine):
    segments = (
        "Definition: " + "one endless sentence " * 100_000,
        "Has: " + "; ".join(f"item {n}" for n in range(50_000)) + ".",
        "Word: " + "x" * 1_000_000 + ".",
    )
    engine = make_engine([Document(doc_id="A", kind="k", title="Huge", segments=segments)])
    start = time.process_time()
    (hit,) = engine.search("huge sentence item 49999")
    assert time.process_time() - start < 2.0
    assert len(hit.snippet) < 2000
    assert engine.document("A").segments == segments


def test_a_document_of_nothing(make_engine):
    engine = make_engine([Document(doc_id="A", kind="", title="", segments=("", " "))])
    assert engine.search("A")[0:1] == []
    assert engine.document("A").title == ""


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet=st.characters(codec=None), max_size=300)
    | st.lists(
        st.sampled_from(
            ["marfan", "HP:0001166", "(", '"', "-", "AND", "\x00", "IL-6", "α", ":", "\ud800", "\n"]
        ),
        max_size=40,
    ).map("".join)
)
def test_any_text_is_a_query(engine, query):
    for hit in engine.search(query, num_hits=3, snippet_words=10):
        assert engine.document(hit.doc_id) is not None
        assert len([word for word in hit.snippet.split() if word != "..."]) <= 10


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.builds(
            Document,
            doc_id=st.uuids().map(str),
            kind=st.sampled_from(["disease", "gene"]),
            title=st.text(max_size=20),
            synonyms=st.lists(st.text(max_size=10), max_size=2).map(tuple),
            segments=st.lists(
                st.text(max_size=40) | st.sampled_from(["A: b; c.", "; ;.", ": ", "A: ."]),
                max_size=3,
            ).map(tuple),
        ),
        max_size=4,
        unique_by=lambda document: document.doc_id,
    )
)
def test_any_documents_make_an_index(make_engine, documents):
    engine = make_engine(documents)
    for document in documents:
        assert engine.document(document.doc_id) == document
        engine.search(document.title)
