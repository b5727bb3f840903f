"""Resnik and Lin, by hand and beside pyhpo."""

import numpy as np
import pytest

from medr_jax.diagnosis.ontology import Ontology
from medr_jax.eval.diagnosis.similarity import (
    Measure,
    best_match_average,
    information_content,
    term_similarity,
)
from medr_jax.testing.diagnosis import small_graph


@pytest.fixture(scope="module")
def ontology() -> Ontology:
    return Ontology.from_graph(small_graph())


@pytest.fixture(scope="module")
def content(ontology) -> np.ndarray:
    values = dict.fromkeys(ontology.term_ids, 0.0)
    values |= {"HP:1": 1.0, "HP:11": 2.0, "HP:12": 3.0, "HP:111": 4.0, "HP:2": 1.5, "HP:21": 2.5}
    return np.array([values[term_id] for term_id in ontology.term_ids])


def similarity(ontology, content, first, second, measure):
    row = term_similarity(ontology, content, ontology.number(first), measure)
    return row[ontology.number(second)]


@pytest.mark.parametrize(
    ("first", "second", "resnik"),
    [("HP:111", "HP:12", 1.0), ("HP:111", "HP:11", 2.0), ("HP:12", "HP:12", 3.0),
     ("HP:12", "HP:21", 0.0)],
)  # fmt: skip
def test_what_two_terms_share(ontology, content, first, second, resnik):
    assert similarity(ontology, content, first, second, Measure.resnik) == resnik
    assert similarity(ontology, content, second, first, Measure.resnik) == resnik
    both = content[ontology.number(first)] + content[ontology.number(second)]
    lin = similarity(ontology, content, first, second, Measure.lin)
    assert lin == pytest.approx(2 * resnik / both)


def test_terms_without_information_are_not_alike(ontology):
    nothing = np.zeros(len(ontology))
    assert similarity(ontology, nothing, "HP:1", "HP:1", Measure.lin) == 0.0


def test_best_match_average_is_over_all_terms_of_both():
    # Findings x terms [[1, 0, 2], [0, 3, 0]]; disease 0 has terms 0 and 1, disease 1 has term 2.
    similar = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    found = best_match_average(similar, np.array([0, 2, 3]), np.array([0, 1, 2]))
    # (1 + 3) + (1 + 3) over 2 + 2; (2 + 0) + 2 over 2 + 1. The mean of two means gives 2 and 1.5.
    assert found.tolist() == [2.0, pytest.approx(4 / 3)]


def test_information_content():
    found = information_content(np.array([4, 1, 0]), 4)
    assert found.tolist() == [0.0, pytest.approx(np.log(4)), 0.0]


@pytest.fixture(scope="module")
def peer():
    """pyhpo's ontology, and ours over the same release."""
    from pyhpo import Ontology as Peer

    from medr_jax.graph.build import GraphConfig, build_graph

    return Peer(), Ontology.from_graph(build_graph(GraphConfig()))


@pytest.mark.slow
@pytest.mark.parametrize("measure", list(Measure))
def test_equal_to_pyhpo_on_twenty_patients(peer, measure):
    from pyhpo import HPOSet

    theirs, ontology = peer
    content = np.array(
        [theirs.get_hpo_object(term_id).information_content.omim for term_id in ontology.term_ids]
    )
    diseases = sorted(theirs.omim_diseases, key=lambda disease: disease.id)
    rng = np.random.default_rng(0)
    for number in rng.choice(len(diseases), 20, replace=False):
        ids = {theirs[term].id for term in diseases[number].hpo}
        known = sorted(term_id for term_id in ids if term_id in ontology)
        patient = sorted(rng.choice(ontology.term_ids, 5, replace=False))
        similar = np.stack(
            [term_similarity(ontology, content, ontology.number(t), measure) for t in patient]
        )
        terms = np.array([ontology.number(term_id) for term_id in known])
        found = best_match_average(similar, np.array([0, len(terms)]), terms)[0]
        expected = HPOSet.from_queries(patient).similarity(
            HPOSet.from_queries(known), kind="omim", method=str(measure), combine="BMA"
        )
        assert found == pytest.approx(expected, abs=1e-6)
