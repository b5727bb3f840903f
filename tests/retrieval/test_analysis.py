"""Folding, words, terms and what makes text safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medr_jax.retrieval.analysis import Analyzer, fold, plain

analyzer = Analyzer()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("IL-6", ["il", "6"]),
        ("il - 6", ["il", "6"]),
        ("5-HT", ["5", "ht"]),
        ("TNF-α", ["tnf", "alpha"]),
        ("TNFα and TNF-alpha", ["tnf", "alpha", "and", "tnf", "alpha"]),
        ("β-blocker", ["beta", "blocker"]),
        ("C677T FBN1", ["c677t", "fbn1"]),
        ("Ménière's Sjögren", ["meniere", "s", "sjogren"]),
        ("µ", ["mu"]),  # MICRO SIGN, not GREEK SMALL LETTER MU
        ("ς Ω", ["sigma", "omega"]),
        ("a\x00b", ["a", "b"]),
        ("(((( -- \x00 \u202e", []),
    ],
)
def test_words(text, words):
    assert analyzer.words(text) == words


def test_terms_are_stemmed_and_keys_are_not():
    assert analyzer.terms("Cataracts") == analyzer.terms("cataract") == ["cataract"]
    assert analyzer.key("Cataracts") == "cataracts"
    # A stemmer takes GALNS for a plural: keys keep apart what terms confuse.
    assert analyzer.key("GALNS") != analyzer.key("GALN")


def test_words_longer_than_any_name_are_left_out():
    assert analyzer.words("x" * 63 + " " + "y" * 65) == ["x" * 63]


def test_stop_terms_are_stems():
    assert "doe" in analyzer.stop_terms  # of "does"; the unstemmed list would let it through
    assert "marfan" not in analyzer.stop_terms


def test_plain_is_one_valid_line():
    assert plain("a\x1b[31mb\nc\ud800d\u202ee") == "a [31mb c d e"
    assert plain("<script>alert(1)</script> <|end|>") == "<script>alert(1)</script> <|end|>"


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_is_analyzed_and_made_plain(text):
    shown = plain(text)
    shown.encode()  # no lone surrogates
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown)
    fold(text).encode()
    assert analyzer.words(text) == analyzer.words(shown)
