import random

from medr_jax.questions.closure import Closure
from medr_jax.questions.grow import grow, start_of_longest
from medr_jax.questions.hops import Form, HopFinder, Step


def chains(graph, seed, *, max_hops=4, allowed=lambda one: True, **strategy):
    finder = HopFinder(graph, Closure(graph), max_degree=100)
    grown = grow(
        finder,
        seed,
        max_hops=max_hops,
        max_expansions=1000,
        rng=random.Random(0),
        allowed=allowed,
        **strategy,
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


def test_augmented_chains_add_branches_to_the_longest_ones(tiny_graph):
    for seed in ("OMIM:1", "OMIM:3", "OMIM:5"):
        _, plain = chains(tiny_graph, seed)
        _, more = chains(tiny_graph, seed, augmented=True)
        assert {one.hops for one in plain} <= {one.hops for one in more}
        assert [len(one.hops) for one in more] == sorted(len(one.hops) for one in more)
        assert len({one.hops for one in more}) == len(more)
        for one in more:  # connected, and no entity twice
            entities = [seed, *(hop.target_id for hop in one.hops)]
            assert len(set(entities)) == len(entities)
            assert [hop.source_id for hop in one.hops] == entities[:-1]
    sizes = {
        seed: [len(chains(tiny_graph, seed, augmented=on)[1]) for on in (False, True)]
        for seed in tiny_graph.entity_ids("disease")
    }
    assert any(plain < more for plain, more in sizes.values()), sizes


def test_chains_follow_a_pattern(tiny_graph):
    pattern = ["associated_gene", "~associated_gene"]
    _, grown = chains(tiny_graph, "OMIM:1", patterns=[pattern])
    assert [[Step.of(hop).form for hop in one.hops] for one in grown] == [
        [Form.GENE],
        [Form.GENE, Form.GENE_DISEASE],
    ]
    assert chains(tiny_graph, "OMIM:1", patterns=[["broader_than"]])[0] == []


def test_the_longest_chain_may_begin_beside_the_seed(tiny_graph):
    finder = HopFinder(tiny_graph, Closure(tiny_graph), max_degree=100)

    def start(seed, allowed=lambda one: True, max_hops=6):
        return start_of_longest(
            finder,
            seed,
            max_hops=max_hops,
            max_expansions=10_000,
            rng=random.Random(0),
            allowed=allowed,
        )

    # From 6 nothing is two hops away; from its gene there is: EEE5 -> 6 -> a mode or an onset.
    assert start("OMIM:6") == "GENE:EEE5"
    assert start("OMIM:6", max_hops=1) == "OMIM:6"  # equals: nearest to the seed
    assert start("OMIM:6", allowed=lambda one: one == "OMIM:6") == "OMIM:6"

    def length(one):
        return max(map(len, chains(tiny_graph, one, max_hops=6)[0]), default=0)

    for seed in ("OMIM:1", "OMIM:2", "GENE:AAA1"):
        assert length(start(seed)) >= length(seed)
