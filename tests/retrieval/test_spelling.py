"""Each usual spelling of a symbol finds the document that has another."""

import itertools

import pytest

from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.spelling import other_spellings

FAMILIES = {
    "IL6": ("IL-6", "IL6", "IL 6", "il-6", "IL\u20116"),
    "5HT": ("5-HT", "5HT", "5 HT", "5\u2010HT"),
    "TNF": ("TNF-α", "TNFα", "TNF-alpha", "TNF alpha"),
    "NFKB": ("NF-κB", "NF-kappaB", "NFκB", "NF-kB"),
    "BB": ("β-blocker", "beta-blocker", "beta blocker", "betablocker"),
    "MTHFR": ("C677T", "677C>T", "c.677C>T", "677 C→T"),
    "CFTR": ("R117H", "p.Arg117His", "Arg117His"),
    "CD4": ("CD4", "CD-4", "CD 4"),
    "HBA": ("HbA1c", "HBA1C", "hba1c"),
}


@pytest.fixture(scope="module")
def engines(make_engine):
    """One index a spelling: every family in its n-th spelling, and distractors."""
    made = []
    for number in range(max(map(len, FAMILIES.values()))):
        documents = [
            Document(doc_id=name, kind="k", title=f"On {spellings[number % len(spellings)]} here")
            for name, spellings in FAMILIES.items()
        ]
        documents += [Document(doc_id=f"Z{n}", kind="k", title=f"On {n} here") for n in range(9)]
        made.append(make_engine(documents, spellings=True))
    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_each_spelling_finds_each_other(engines, name):
    missed = []
    for number, query in itertools.product(range(len(engines)), FAMILIES[name]):
        written = FAMILIES[name][number % len(FAMILIES[name])]
        hits = engines[number].search(query, num_hits=3)
        if not hits or hits[0].doc_id != name:
            missed.append((query, "for", written))
    assert missed == []


@pytest.mark.parametrize("text", ["", "plain words, well-being and short-rib", "2008", "(((", "α"])
def test_plain_words_get_no_other_spelling(text):
    assert other_spellings(text) in ("", "alpha a")


def test_without_the_option_nothing_is_added(make_engine):
    documents = [Document(doc_id="A", kind="k", title="IL-6")]
    assert make_engine(documents).search("IL6") == []
    assert make_engine(documents, spellings=True).search("IL6")[0].doc_id == "A"
