import pytest

from medr_jax.grading.terms import read

EQUAL = [
    ("PMID: 12345678", "pmid 12345678"),
    ("OMIM #154700", "MIM:154700"),
    ("PMCID: PMC3531190", "PMC3531190"),
    ("ORPHA:558", "Orphanet 558"),
    ("https://doi.org/10.1000/Ab.1", "doi:10.1000/ab.1"),
    ("ICD-10: E11.9", "E11.9"),
    ("nct01234567", "NCT01234567"),
    ("p.Val600Glu", "V600E"),
    ("p.(Val600Glu)", "p.V600E"),
    ("c.35delG", "c.35del"),
    ("p.Arg213Ter", "p.R213*"),
]
DIFFERENT = [
    ("PMID 12345678", "PMC12345678"),
    ("OMIM:154700", "ORPHA:154700"),
    ("NCT01234567", "NCT01234568"),
    ("E11.9", "E11.8"),
    ("V600E", "V600K"),
    ("c.35del", "c.35dup"),
    ("c.76A>C", "c.76A>G"),
    ("c.35del", "c.35delinsT"),
    ("HP:0001166", "HP:0001167"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_one_identifier_in_two_spellings(one, other):
    assert read(one) == read(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_identifiers_stay_apart(one, other):
    assert read(one) != read(other)


def test_an_identifier_is_found_inside_a_sentence():
    assert read("see PMID 123 and NCT01234567") == ("see", "pmid 123", "and", "nct 01234567")


@pytest.mark.parametrize("name", ["H1N1", "A1C", "G6PD", "S100A8", "HP infection", "CD8"])
def test_names_that_look_like_variants_or_registers(name):
    assert not any(term.startswith(("variant", "hp ")) for term in read(name))
