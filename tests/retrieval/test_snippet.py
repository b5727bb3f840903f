"""What of a document is shown for a query."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.retrieval.analysis import Analyzer
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.query import ParsedQuery
from medr_jax.retrieval.snippet import PreparedDocument, snippet, whole_text

analyzer = Analyzer()

DOCUMENT = Document(
    doc_id="D:1",
    kind="disease",
    title="Short-rib dysplasia",
    synonyms=("SRD2",),
    segments=(
        "Definition: A disorder of bone growth. The chest is narrow.",
        "Associated genes: AAA1; BBB2.",
        "Inheritance: Autosomal recessive inheritance.",
        "Abnormality of limbs: Short femur; Eye hand anomaly (2/3); Polydactyly (9/10).",
        "Abnormality of head or neck: Broad nose; Short nose; Wide mouth.",
        "Abnormality of the eye: Eye hand anomaly (2/3); Myopia.",
        "Reported absent: Cataract; Myopia.",
    ),
)


def show(query: str, *phrases: str, words: int = 40, document: Document = DOCUMENT) -> str:
    weights = dict.fromkeys(t for t in analyzer.terms(query) if t not in analyzer.stop_terms)
    parsed = ParsedQuery(
        weights=dict.fromkeys(weights, 1.0),
        phrases=phrases,
        phrase_terms=frozenset(map(analyzer.name_terms, phrases)),
        other_terms=(),
        identifiers=(),
    )
    common = {"abnorm": 0.2, "of": 0.0, "the": 0.0, "or": 0.0, "and": 0.0}
    prepared = PreparedDocument(document, analyzer)
    return snippet(prepared, parsed, lambda term: common.get(term, 1.0), words)


def test_what_the_title_says_is_not_looked_for_again():
    assert (
        show("short rib dysplasia inheritance") == "Inheritance: Autosomal recessive inheritance."
    )


def test_an_item_that_the_query_names_wins_over_one_that_shares_a_word():
    # "short" is in the title; by what is left alone ("nose") "Broad nose" would come first.
    assert show("short nose") == "Abnormality of head or neck: Short nose; ..."


def test_two_items_of_two_lists():
    shown = show("polydactyly myopia", "polydactyly", "myopia")
    assert shown == (
        "Abnormality of limbs: Polydactyly (9/10); ... Abnormality of the eye: Myopia; ..."
        " Reported absent: Myopia; ..."
    )


def test_an_item_of_several_lists_is_shown_once():
    shown = show("eye hand anomaly", "eye hand anomaly")
    assert shown == "Abnormality of limbs: Eye hand anomaly (2/3); ..."


def test_labels_give_way_to_what_the_query_names_but_absence_is_always_said():
    assert show("polydactyly wide mouth", "polydactyly", "wide mouth", words=8) == (
        "Polydactyly (9/10); ... Wide mouth; ..."
    )
    assert show("cataract polydactyly", "cataract", "polydactyly", words=5) == (
        "Polydactyly (9/10); ... Reported absent: Cataract; ..."
    )


def test_a_label_shows_its_items_in_order():
    assert show("short rib dysplasia head neck") == (
        "Abnormality of head or neck: Broad nose; Short nose; Wide mouth."
    )
    assert show("short rib dysplasia head neck", words=10) == (
        "Abnormality of head or neck: Broad nose; Short nose; ..."
    )


def test_an_item_that_holds_the_label_among_others_is_not_what_the_label_asks_for():
    shown = show("short rib dysplasia eye")
    assert shown == "Abnormality of the eye: Eye hand anomaly (2/3); Myopia."


def test_a_label_that_shares_only_a_common_word_is_not_meant():
    # "abnorm" is half of the terms of "Abnormality of limbs" but little of their weight.
    assert show("short rib dysplasia abnormal") == ""


def test_synonyms_are_shown_when_they_are_what_matched():
    assert show("SRD2 gene") == "Associated genes: AAA1; BBB2. Synonyms: SRD2."


def test_prose_is_cut_at_sentences():
    assert show("narrow chest") == "Definition: The chest is narrow. ..."


def test_the_title_alone_shows_the_start_with_prose_held_short():
    assert show("short rib dysplasia", words=16).startswith(
        "Definition: A disorder of bone growth. ... Associated genes: AAA1; BBB2. Inherit"
    )


def test_nothing_that_matches_is_nothing_shown():
    assert show("zebra") == ""


def test_the_budget_holds_but_something_is_always_shown():
    long = Document(doc_id="x", kind="k", title="t", segments=("Definition: " + "word " * 500,))
    assert show("word", words=3, document=long) == "Definition: word word ..."
    item = Document(doc_id="x", kind="k", title="t", segments=("Has: a b c d e f; g.",))
    assert show("f", words=4, document=item) == "Has: a b c ..."


def test_the_snippet_is_plain_text():
    hostile = Document(
        doc_id="x",
        kind="k",
        title="t",
        segments=("Has: <script>alert(1)</script> zebra\x00\x1b[31m <|end|>.",),
    )
    assert show("zebra", document=hostile) == ("Has: <script>alert(1)</script> zebra [31m <|end|>.")


def test_one_endless_word_is_cut():
    endless = Document(doc_id="x", kind="k", title="t", segments=("Definition: " + "A" * 100_000,))
    assert len(whole_text(PreparedDocument(endless, analyzer).segments, 10)) <= 310


words_st = st.lists(st.sampled_from(["short", "nose", "eye", "myopia", "gene", "zebra", "limbs"]))


@settings(max_examples=100, deadline=None)
@given(words_st, st.integers(min_value=0, max_value=60))
def test_budget_is_never_exceeded(words, budget):
    shown = show(" ".join(words), *words[:2], words=budget)
    assert len([word for word in shown.split() if word != "..."]) <= budget


@pytest.mark.parametrize("budget", [0, -3])
def test_no_budget_shows_nothing(budget):
    assert show("short nose", words=budget) == ""
    assert show("short rib dysplasia", words=budget) == ""


def test_words_that_were_asked_for_are_marked(make_engine):
    text = "Definition: Cataracts and β-blockers; nothing <b>else</b>."
    engine = make_engine([Document(doc_id="A", kind="k", title="a", segments=(text,))])
    (hit,) = engine.search("cataract beta", marks=("<<", ">>"))
    # Stems and Greek letters are matched as the index matches them; the text is not escaped.
    assert hit.snippet == "Definition: <<Cataracts>> and <<β>>-blockers; nothing <b>else</b>."
    (hit,) = engine.search("cataract beta")
    assert "<<" not in hit.snippet
