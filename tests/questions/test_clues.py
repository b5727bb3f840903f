import random

import pytest

from medr_jax.questions.closure import Closure
from medr_jax.questions.clues import ClueFinder
from medr_jax.questions.hops import HopFinder
from medr_jax.questions.kin import Kinship
from medr_jax.types import Hop, Polarity, Relation


@pytest.fixture
def clues(make_graph):
    def make(*extra):
        graph = make_graph(*extra)
        finder = HopFinder(graph, Closure(graph), max_degree=100)
        return ClueFinder(finder, Kinship(graph), max_matches=100)

    return make


def unique(clues, disease):
    found = clues.unique_sets(disease, clues.terms(disease), random.Random(0))
    return {size: {frozenset(terms) for terms in sets} for size, sets in found.items()}


def test_unique_sets_are_minimal_and_under_closure(clues):
    found = unique(clues(), "OMIM:3")
    assert found[1] == {frozenset({"HP:7"})}
    # {HP:1, HP:5} is unique on direct annotations, but OMIM:2 satisfies both under closure
    assert found[2] == set()
    assert unique(clues(), "OMIM:6")[2] == {frozenset({"HP:4", "HP:5"})}


def test_contradicted_terms_are_no_clues(clues):
    found = clues(("OMIM:2", Relation.HAS_PHENOTYPE, "HP:1", Polarity.EXCLUDED))
    assert found.terms("OMIM:2") == ("HP:5",)  # HP:2 lies below the excluded HP:1
    assert clues().terms("OMIM:2") == ("HP:2", "HP:5")


def test_a_clue_is_needed_only_if_the_answer_changes_without_it(clues):
    finder = clues()
    onset = Hop(relation=Relation.HAS_ONSET, source_id="OMIM:6", target_id="HP:0003593")
    mode = Hop(relation=Relation.INHERITED_AS, source_id="OMIM:6", target_id="HP:0000006")
    pair = ("HP:4", "HP:5")
    # without HP:5 there remain diseases 1, 4 and 6: both that state one onset say infantile
    assert finder.prove("OMIM:6", [onset], pair) is None
    proven = finder.prove("OMIM:6", [mode], pair)
    assert proven.matches == (3, 4)
    assert proven.left_out_matches == (4, 3)
    assert proven.witnesses == ("OMIM:3>HP:0000007", "OMIM:1>HP:0000007")


def test_witnesses_need_functional_steps(clues):
    finder = clues()
    gene = Hop(relation=Relation.ASSOCIATED_GENE, source_id="OMIM:6", target_id="GENE:EEE5")
    proven = finder.prove("OMIM:6", [gene], ("HP:4", "HP:5"))
    # OMIM:4 has two genes: it cannot be the disease whose only gene is asked
    assert proven.witnesses == ("OMIM:2>GENE:AAA1", "OMIM:1>GENE:AAA1")


def test_a_narrower_disease_inherits_clues_and_makes_them_ambiguous(clues):
    finder = clues(("OMIM:3", Relation.BROADER_THAN, "OMIM:6"))
    sets = {1: [("HP:7",)], 2: [], 3: []}
    assert finder.without_kin("OMIM:3", sets) == {1: [], 2: [], 3: []}
    apart = clues()
    assert apart.without_kin("OMIM:3", sets) == sets


def test_sets_leave_out_barred_terms(clues):
    finder = clues()
    sets = finder.unique_sets("OMIM:6", finder.terms("OMIM:6"), random.Random(0))
    weights = [1.0, 1.0, 1.0]
    free = list(finder.sets("OMIM:6", [], sets, set(), weights, random.Random(1)))
    assert [one.term_ids for one in free] == [tuple(sets[2][0])]
    assert list(finder.sets("OMIM:6", [], sets, {"HP:4"}, weights, random.Random(1))) == []
    assert list(finder.sets("OMIM:6", [], sets, set(), [1.0, 0.0, 0.0], random.Random(1))) == []
