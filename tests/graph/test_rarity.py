from medr_jax.graph.rarity import (
    curation,
    is_rare_seed_excluded,
    is_sparsely_annotated,
    reported_individuals,
    seed_diseases,
)
from medr_jax.types import Edge, Polarity, Relation

HAS = Relation.HAS_PHENOTYPE


def observed(disease, phenotype, m, *references, **fields):
    return Edge(
        source=disease, relation=HAS, target=phenotype, num_affected=fields.pop("n", 1),
        num_observed=m, references=references, **fields,
    )  # fmt: skip


def test_the_largest_denominator_of_each_publication_is_summed(make_graph):
    graph = make_graph(
        observed("D1", "P1", 4, "PMID:1"),
        observed("D1", "P2", 7, "PMID:1"),  # the same cohort: 7, not 11
        observed("D1", "P3", 5, "PMID:2"),
        observed("D1", "P4", 9, "PMID:2", n=0, polarity=Polarity.EXCLUDED),  # observed, all 9
        observed("D1", "P5", 99, "OMIM:1"),  # no publication: no cohort to count
        observed("D2", "P1", None, "PMID:3"),
    )
    assert reported_individuals(graph) == {"D1": 16}  # a sum over rows would give 124
    assert curation(graph, "D1").num_publications == 2
    assert curation(graph, "D1").num_phenotypes == 4  # the excluded one is no phenotype
    assert curation(graph, "D2").num_individuals is None


def test_an_unknown_number_is_not_a_small_one(make_graph):
    graph = make_graph(
        observed("D1", "P1", 10, "PMID:1"), observed("D2", "P1", 11, "PMID:1"), ("D3", HAS, "P1")
    )
    assert is_sparsely_annotated(graph, "D1")
    assert not is_sparsely_annotated(graph, "D2")
    assert is_sparsely_annotated(graph, "D2", max_individuals=11)
    assert not is_sparsely_annotated(graph, "D3")


def test_risk_and_tumour_entries_are_no_seeds(make_graph):
    names = {
        "D1": "Ischemic stroke, susceptibility to", "D2": "Cervical cancer",
        "D3": "Proteus syndrome", "D4": "Marfan syndrome", "D5": "Bone size QTL 3",
    }  # fmt: skip
    graph = make_graph(
        *((d, HAS, "P1") for d in names),
        ("D3", Relation.INHERITED_AS, "HP:0001442"),
        names=names,
    )
    excluded = [d for d in sorted(names) if is_rare_seed_excluded(graph, d)]
    assert excluded == ["D1", "D2", "D3", "D5"]


def test_seeds_are_ordered_fewest_individuals_first(make_graph):
    graph = make_graph(
        observed("D1", "P1", 9, "PMID:1"),
        observed("D2", "P1", 2, "PMID:1"),
        observed("D3", "P1", 90, "PMID:1"),
        ("D4", HAS, "P1"),
        ("D5", HAS, "P1", Polarity.EXCLUDED),  # nothing to ask about
        observed("D6", "P1", 2, "PMID:2"),
        names={"D6": "Somatic overgrowth"},
    )
    assert seed_diseases(graph) == (("D2", "D1"), ("D3", "D4"))


def test_real_seeds_are_not_the_common_diseases_that_curation_looks_rare_for(hpo_graph):
    sparse, others = seed_diseases(hpo_graph)
    # FACTS: 5,441 diseases with counted individuals, 1,473 of them with at most three.
    individuals = reported_individuals(hpo_graph)
    assert 5_000 < len(individuals) < 5_800
    assert 1_300 < sum(count <= 3 for count in individuals.values()) < 1_800
    assert len(sparse) > 2_500
    assert not set(sparse) & set(others)
    for disease_id in sparse[::100]:
        assert individuals[disease_id] == curation(hpo_graph, disease_id).num_individuals <= 10
    names = {hpo_graph.entity(d).name.casefold() for d in sparse}
    for common in ("cervical cancer", "schizophrenia", "osteoporosis", "autism"):
        assert common not in names
    assert not any("susceptibility" in name for name in names)
    # MONDO knows it as a susceptibility although no word of its title says so.
    assert is_rare_seed_excluded(hpo_graph, "MONDO:0007781")  # essential hypertension, genetic
