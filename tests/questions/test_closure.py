from medr_jax.questions.closure import Closure
from medr_jax.types import Polarity, Relation


def test_a_descendant_satisfies_an_ancestor(tiny_graph):
    closure = Closure(tiny_graph)
    # direct annotations of HP:1 alone would be 1 and 3; OMIM:2 has the nuclear form below it
    assert list(closure.members(closure.mask("HP:1"))) == ["OMIM:1", "OMIM:2", "OMIM:3"]
    assert closure.count("HP:2") == 1
    assert closure.count("HP:0000118") == 6


def test_excluded_annotations_do_not_count(make_graph):
    graph = make_graph(("OMIM:6", Relation.HAS_PHENOTYPE, "HP:2", Polarity.EXCLUDED))
    closure = Closure(graph)
    assert list(closure.members(closure.mask("HP:1"))) == ["OMIM:1", "OMIM:2", "OMIM:3"]


def test_mask_of_is_the_inverse_of_members(tiny_graph):
    closure = Closure(tiny_graph)
    mask = closure.mask_of(["OMIM:5", "OMIM:2", "OMIM:5"])
    assert list(closure.members(mask)) == ["OMIM:2", "OMIM:5"]
    assert list(closure.members(0)) == []
