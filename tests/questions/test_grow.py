import random

from medr_jax.questions.closure import Closure
from medr_jax.questions.grow import grow
from medr_jax.questions.hops import Form, HopFinder, Step


def chains(graph, seed, *, max_hops=4, allowed=lambda one: True):
    finder = HopFinder(graph, Closure(graph), max_degree=100)
    grown = grow(
        finder,
        seed,
        max_hops=max_hops,
        max_expansions=1000,
        rng=random.Random(0),
        allowed=allowed,
    )
    assert all(one.optimal for one in grown)
    return [tuple(Step.of(hop).form for hop in one.hops) for one in grown], grown


def test_the_longest_chain_its_prefixes_and_their_endings(tiny_graph):
    forms, grown = chains(tiny_graph, "OMIM:1")
    # 1 -> AAA1 -> 2 -> nuclear lens opacity -> its parent; one ending of each prefix besides
    assert (Form.GENE, Form.GENE_DISEASE, Form.PHENOTYPE, Form.PARENT) in forms
    assert (Form.GENE, Form.GENE_DISEASE, Form.INHERITANCE) in forms
    assert (Form.GENE, Form.GENE_DISEASE) in forms
    assert (Form.ONSET,) in forms
    assert len(set(grown)) == len(grown)
    for one in grown:
        entities = ["OMIM:1", *(hop.target_id for hop in one.hops)]
        assert len(set(entities)) == len(entities)
        links = zip(one.hops, one.hops[1:], strict=False)
        assert all(hop.target_id == following.source_id for hop, following in links)


def test_nothing_is_asked_about_modes_onsets_and_parents(tiny_graph):
    ends = {Form.INHERITANCE, Form.ONSET, Form.COURSE, Form.PARENT}
    for seed in ("OMIM:1", "OMIM:5", "HP:2"):
        forms, _ = chains(tiny_graph, seed)
        assert all(not ends & set(chain[:-1]) for chain in forms)


def test_limits(tiny_graph):
    forms, _ = chains(tiny_graph, "OMIM:1", max_hops=1)
    assert {len(chain) for chain in forms} == {1}
    forms, grown = chains(tiny_graph, "OMIM:1", allowed=lambda one: one != "OMIM:2")
    assert all(hop.target_id != "OMIM:2" for one in grown for hop in one.hops)
    assert chains(tiny_graph, "OMIM:1", max_hops=0)[0] == []


def test_the_other_gene_needs_the_first(tiny_graph):
    # 5 -> CCC3 -> 4 -> the other gene of 4
    forms, _ = chains(tiny_graph, "OMIM:5")
    assert (Form.GENE, Form.GENE_DISEASE, Form.GENE) in forms
    assert (Form.GENE,) not in chains(tiny_graph, "OMIM:4")[0]
