"""Ranking, filters, identifiers, ties, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from medr_jax.retrieval.batch import Searches
from medr_jax.retrieval.columns import Filters
from medr_jax.retrieval.corpus import Document


def ids(engine, query, **options):
    return [hit.doc_id for hit in engine.search(query, **options)]


def test_a_name_finds_its_document_before_those_that_hold_it(engine):
    # The gene lists it, the other title contains it.
    assert ids(engine, "Marfan syndrome")[0] == "D:1"
    assert ids(engine, "neonatal marfan syndrome")[0] == "D:2"
    found = ids(engine, "fbn1")
    assert found[0] == "GENE:FBN1"
    assert set(found[1:]) == {"D:1", "D:2"}


def test_a_synonym_finds_its_document(engine):
    assert ids(engine, "MFS1")[0] == "D:1"
    assert ids(engine, "spider fingers")[0] == "HP:0001166"


def test_a_fact_of_a_named_disease(engine):
    (hit, *_) = engine.search("Marfan syndrome inheritance")
    assert (hit.doc_id, hit.title) == ("D:1", "Marfan syndrome")
    assert hit.snippet == "Inheritance: Autosomal dominant inheritance."


def test_documents_that_list_all_findings_come_first(engine):
    # "Short-rib" and "Broad nose" hold the words of "Short nose" too; D:3 lists both findings.
    assert ids(engine, "cataract, short nose")[0] == "D:3"
    assert ids(engine, "Arachnodactyly and Ectopia lentis", kind="disease")[0] == "D:1"


def test_a_finding_reported_absent_is_not_listed(make_engine):
    # By words alone A wins: it is shorter. Its list says that both are absent.
    engine = make_engine(
        [
            Document(doc_id="A", kind="d", title="a", segments=("Reported absent: Fever; Cough.",)),
            Document(doc_id="B", kind="d", title="b", segments=("Lungs: Cough; Fever; x; y; z.",)),
            Document(doc_id="C", kind="p", title="Fever"),
            Document(doc_id="D", kind="p", title="Cough"),
        ]
    )
    assert ids(engine, "fever, cough", kind="d") == ["B", "A"]


def test_a_definition_finds_its_phenotype(make_engine):
    # B says the same words in its title; A says this sentence.
    sentence = "Definition: An anomaly of sperm."
    engine = make_engine(
        [
            Document(doc_id="A", kind="p", title="x", segments=(sentence,)),
            Document(doc_id="B", kind="p", title="Sperm anomaly"),
        ]
    )
    assert ids(engine, "anomaly sperm") == ["B", "A"]
    assert ids(engine, "An anomaly of sperm") == ["A", "B"]


@pytest.mark.parametrize(
    "query", ["IL-6", "il - 6", "IL 6", "interleukin 6", "β-form", "beta form"]
)
def test_spellings(engine, query):
    assert ids(engine, query)[0] == "HP:0430142"


@pytest.mark.parametrize(
    ("query", "doc_id"),
    [
        ("HP:0001166", "HP:0001166"),
        ("hp : 0001166", "HP:0001166"),
        ("what is UMLS:C0003706?", "HP:0001166"),
        ("OMIM:154700 inheritance", "D:1"),
        ("GENE:FBN2", "GENE:FBN2"),
    ],
)
def test_identifiers(engine, query, doc_id):
    assert ids(engine, query)[0] == doc_id


def test_an_identifier_alone_finds_nothing_else(engine):
    assert ids(engine, "HP:0001166") == ["HP:0001166"]
    assert ids(engine, "HP:9999999") == []


def test_all_terms_come_before_any_term(engine):
    found = ids(engine, "cataract megalocornea")
    assert found[0] == "D:2"
    assert set(found) == {"D:1", "D:2", "D:3"}  # filled with documents that hold one


def test_unknown_words_do_not_empty_the_result(engine):
    assert ids(engine, "qwertyuiop Marfan syndrome")[0] == "D:1"
    assert ids(engine, "qwertyuiop") == []


def test_kind_filters_without_changing_scores_or_order(engine):
    free = [h for h in engine.search("arachnodactyly", num_hits=7) if h.kind == "disease"]
    narrow = engine.search("arachnodactyly", num_hits=7, kind="disease")
    assert [(h.doc_id, h.score) for h in free] == [(h.doc_id, h.score) for h in narrow]
    assert ids(engine, "arachnodactyly", kind="no such kind") == []


def test_excluded_documents_are_never_found(engine):
    assert "D:1" not in ids(engine, "Marfan syndrome", exclude={"D:1"})
    assert ids(engine, "OMIM:154700", exclude=frozenset({"D:1"})) == []


def test_excluding_most_of_a_corpus_still_finds_the_rest(make_engine):
    documents = [
        Document(doc_id=f"D:{n:04}", kind="disease", title=f"fever {n}") for n in range(300)
    ]
    engine = make_engine(documents)
    excluded = {document.doc_id for document in documents[:297]}
    assert ids(engine, "fever", exclude=excluded) == ["D:0297", "D:0298", "D:0299"]


def test_ties_are_in_order_of_id_whatever_the_order_of_arrival(make_engine):
    documents = [
        Document(doc_id=f"D:{n:03}", kind="disease", title="same fever") for n in range(60)
    ]
    expected = [f"D:{n:03}" for n in range(10)]
    for order in (documents, documents[::-1], documents[1::2] + documents[::2]):
        assert ids(make_engine(order), "same fever", num_hits=10) == expected


def test_num_hits(engine):
    assert len(engine.search("disease syndrome fbn1", num_hits=2)) == 2
    with pytest.raises(ValueError, match="num_hits=0"):
        engine.search("x", num_hits=0)


def test_search_many_is_search_for_each(engine):
    queries = ["marfan", "((", "cataract"]
    assert engine.search_many(queries, num_hits=3) == [
        engine.search(query, num_hits=3) for query in queries
    ]


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("options", [{}, {"stages": False}, {"relevance_weight": 0.4}])
def test_rankings_side_by_side_are_those_of_each_query(make_engine, corpus, options, threads):
    engine = make_engine(corpus, **options)
    # Names, identifiers, loose words, words that no document has: as many rounds as stages.
    queries = ["marfan", "((", "cataract eye", "OMIM:154700", "short nose", "quux", "fever FBN1"]
    queries = [f"{query} {n}" for n, query in enumerate(queries * 90)]
    narrow = {"num_hits": 3, "filters": Filters(kind="disease"), "exclude": {"D:3"}}
    for asked in ({}, narrow):
        each = [engine.rank(query, **asked) for query in queries]
        assert engine.rank_many(queries, threads=threads, **asked) == each
    assert engine.rank_many([], threads=threads) == []


def test_many_rankings_are_searched_by_several_threads(engine, monkeypatch):
    searched = Searches._search

    def together(self, request):
        both.wait(timeout=30)  # passes only where two threads are at it
        return searched(self, request)

    both = threading.Barrier(2)
    monkeypatch.setattr(Searches, "_search", together)
    assert len(engine.rank_many(["marfan"] * 64, threads=2)) == 64
    with pytest.raises(ValueError, match="threads=0"):
        engine.rank_many(["marfan"], threads=0)


def test_documents_come_back_whole(engine, corpus):
    for document in corpus:
        assert engine.document(document.doc_id) == document
    for missing in ("D:9", "", "../../etc/passwd", "D:1\x00", "\ud800", "d:1"):
        assert engine.document(missing) is None


def test_weights_of_the_index_are_those_it_was_built_with(make_engine):
    documents = [
        Document(doc_id="A", kind="k", title="fever", segments=("Has: x; y; z.",)),
        Document(doc_id="B", kind="k", title="other", segments=("Has: fever; fever fever.",)),
    ]
    plain_ranking = {"title_boost": 0, "synonym_boost": 0, "name_boost": 0, "item_boost": 0}
    assert ids(make_engine(documents), "fever") == ["A", "B"]
    assert ids(make_engine(documents, **plain_ranking), "fever") == ["B", "A"]


def test_many_threads_see_what_one_sees(engine):
    queries = ["Marfan syndrome inheritance", "cataract myopia", "fbn1", "IL-6", "zzz"] * 20
    alone = [engine.search(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(engine.search, queries)) == alone


def test_long_documents_are_searched_like_short_ones(make_engine, corpus):
    long = msgspec.structs.replace(
        corpus[0], doc_id="LONG", title="Long", segments=("Definition: " + "filler " * 20_000,)
    )
    engine = make_engine([*corpus, long])
    (hit,) = engine.search("long filler", num_hits=1)
    assert hit.doc_id == "LONG"
    assert len(hit.snippet.split()) <= 42


def test_of_many_terms_the_rarest_are_kept(make_engine):
    documents = [
        Document(doc_id=f"D:{n}", kind="k", title=" ".join(f"word{m}" for m in range(n, 50)))
        for n in range(50)
    ]
    engine = make_engine(documents)
    parsed = engine._queries.parse(" ".join(f"word{m}" for m in range(49, -1, -1)))
    # word0 stands in one document, word49 in all.
    assert list(parsed.weights) == [f"word{m}" for m in range(31, -1, -1)]


def test_by_share_a_name_within_a_question_does_not_outweigh_the_rest(make_engine):
    documents = [
        Document(doc_id="A", kind="k", title="Hypertension"),
        Document(
            doc_id="B",
            kind="k",
            title="Abstract 1",
            segments=("In hypertension, does evening dosing of ramipril lower mortality?",),
        ),
        *(Document(doc_id=f"C{n}", kind="k", title="Abstract", segments=("x",)) for n in range(9)),
    ]
    question = "Does ramipril at evening lower mortality in hypertension?"
    # As with stages=False: the title and the name of A outweigh four words of B.
    boosts = {"stages": False, "title_boost": 9.0, "name_boost": 9.0}
    assert ids(make_engine(documents, **boosts), question)[0] == "A"
    by_share = make_engine(documents, **boosts, by_share=True)
    assert ids(by_share, question)[0] == "B"
    # Asked for by its name alone it has all of its boosts: the same scores.
    assert by_share.search("hypertension") == make_engine(documents, **boosts).search(
        "hypertension"
    )


def test_without_stages_one_rare_term_outweighs_all_common_ones(make_engine):
    documents = [
        Document(doc_id="A", kind="k", title="x", segments=("zebra zebra zebra.",)),
        Document(doc_id="B", kind="k", title="y", segments=(f"fever zebra {'word ' * 200}.",)),
        *(Document(doc_id=f"D{n}", kind="k", title="z", segments=("fever.",)) for n in range(9)),
    ]
    assert ids(make_engine(documents), "zebra fever")[0] == "B"
    assert ids(make_engine(documents, stages=False), "zebra fever")[0] == "A"
