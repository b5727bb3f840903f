import pytest

from medr_jax.questions.closure import Closure
from medr_jax.questions.hops import Form, HopFinder, Step, functional_hops
from medr_jax.types import Polarity, Relation

PARENT = Form.PARENT
EYE, SKIN, NERVE = "HP:0000478", "HP:0001574", "HP:0000707"


def targets(hops):
    return {(Step.of(hop).form, hop.within_id, hop.target_id) for hop in hops}


def test_hops_of_a_disease(tiny_graph):
    assert targets(functional_hops(tiny_graph, "OMIM:1")) == {
        (Form.GENE, "", "GENE:AAA1"),
        (Form.INHERITANCE, "", "HP:0000007"),
        (Form.ONSET, "", "HP:0003593"),
        (Form.PHENOTYPE, EYE, "HP:1"),
        (Form.PHENOTYPE, NERVE, "HP:4"),
        (Form.PHENOTYPE, SKIN, "HP:6"),
    }


def test_two_genes_two_modes_or_no_onset_are_not_functional(tiny_graph):
    forms = {form for form, *_ in targets(functional_hops(tiny_graph, "OMIM:4"))}
    assert forms == {Form.PHENOTYPE}


def test_an_inheritance_qualifier_is_no_mode_and_two_of_a_branch_are_not_one(tiny_graph):
    assert targets(functional_hops(tiny_graph, "OMIM:5")) == {
        (Form.GENE, "", "GENE:CCC3"),
        (Form.ONSET, "", "HP:0003593"),
        (Form.PHENOTYPE, EYE, "HP:3"),  # two phenotypes of NERVE: none of it
    }


def test_the_branch_term_itself_counts_against_uniqueness(make_graph):
    graph = make_graph(("OMIM:1", Relation.HAS_PHENOTYPE, EYE))
    assert EYE not in {within for _, within, _ in targets(functional_hops(graph, "OMIM:1"))}


def test_a_gene_leads_to_the_other_disease_only_when_reached_from_one(tiny_graph):
    assert functional_hops(tiny_graph, "GENE:AAA1") == []
    (hop,) = functional_hops(tiny_graph, "GENE:AAA1", "OMIM:1")
    assert (hop.target_id, hop.inverse) == ("OMIM:2", True)
    (hop,) = functional_hops(tiny_graph, "GENE:BBB2")
    assert hop.target_id == "OMIM:3"


def test_a_disease_with_two_genes_leads_to_the_other_gene(tiny_graph):
    found = targets(functional_hops(tiny_graph, "OMIM:4", "GENE:CCC3"))
    assert (Form.GENE, "", "GENE:DDD4") in found


def test_no_hop_leads_back(tiny_graph):
    found = targets(functional_hops(tiny_graph, "OMIM:1", "GENE:AAA1"))
    assert Form.GENE not in {form for form, *_ in found}


def test_a_phenotype_leads_to_its_only_disease_under_closure(tiny_graph):
    # HP:1 is annotated to 1 and 3 and, under closure, to 2: not functional from anywhere
    finder = HopFinder(tiny_graph, Closure(tiny_graph), max_degree=100)
    step = Step(Relation.HAS_PHENOTYPE, True, "")
    assert finder.target("HP:1", step, "OMIM:1") == ""
    assert finder.target("HP:2", step) == "OMIM:2"
    assert finder.target("HP:3", step, "OMIM:4") == "OMIM:5"


def test_a_disease_is_only_reached_by_a_term_that_it_is_annotated_with(make_graph):
    # HP:6's only further disease would be satisfied through a descendant that no page shows
    graph = make_graph(("HP:7", Relation.IS_A, "HP:6"))
    finder = HopFinder(graph, Closure(graph), max_degree=100)
    forms = {Step.of(hop).form for hop in finder.hops("HP:6", "OMIM:1")}
    assert Form.PHENOTYPE_DISEASE not in forms


def test_parents_that_can_be_guessed_are_not_asked(tiny_graph, make_graph):
    def parents(graph, term):
        return {
            target for form, _, target in targets(functional_hops(graph, term)) if form is PARENT
        }

    # HP:2 is_a HP:1 is_a HP:0 is_a the eye: HP:0 stands right below its branch
    assert parents(tiny_graph, "HP:2") == {"HP:1"}
    assert parents(tiny_graph, "HP:1") == parents(tiny_graph, "HP:0") == set()
    assert parents(make_graph(("HP:2", Relation.IS_A, "HP:8")), "HP:2") == set()  # two parents


def test_contradicted_annotations_are_no_hops(make_graph):
    graph = make_graph(("OMIM:1", Relation.HAS_PHENOTYPE, "HP:1", Polarity.EXCLUDED))
    assert EYE not in {within for _, within, _ in targets(functional_hops(graph, "OMIM:1"))}
    assert NERVE in {within for _, within, _ in targets(functional_hops(graph, "OMIM:1"))}


@pytest.mark.parametrize(("limit", "found"), [(2, False), (100, True)])
def test_hubs_are_no_targets(tiny_graph, limit, found):
    # HP:4 has three diseases and a parent: degree 4
    hops = functional_hops(tiny_graph, "OMIM:1", max_degree=limit)
    assert ("HP:4" in {hop.target_id for hop in hops}) is found
