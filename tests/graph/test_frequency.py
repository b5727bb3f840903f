import pytest

from medr_jax.graph.frequency import (
    Label,
    band_limit,
    mentions,
    prevalence,
    rare_diseases,
    rarity,
)
from medr_jax.graph.rarity import is_rare_seed_excluded
from medr_jax.types import Edge, Relation

HAS, MENTIONED, PREVALENCE = (
    Relation.HAS_PHENOTYPE,
    Relation.MENTIONED_IN,
    Relation.HAS_PREVALENCE,
)


def mentioned(disease, count, total=30_000_000, corpus="C1"):
    return Edge(
        source=disease, relation=MENTIONED, target=corpus, num_affected=count, num_observed=total
    )


def band(disease, text, area="Worldwide"):
    return Edge(
        source=disease, relation=PREVALENCE, target=text, qualifier=f"Point prevalence; {area}"
    )


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("<1 / 1 000 000", 1e-6),
        ("1-9 / 1 000 000", 9e-6),
        ("1-5 / 10 000", 5e-4),  # the most that the EU calls rare
        ("6-9 / 10 000", 9e-4),
        (">1 / 1000", None),
    ],
)
def test_bands_are_read_by_their_upper_end(text, limit):
    assert band_limit(text) == (pytest.approx(limit) if limit else None)


def test_a_band_must_be_one():
    with pytest.raises(ValueError, match="'often' is no prevalence band"):
        band_limit("often")


def test_the_three_scores_are_kept_apart(make_graph):
    bands = {t: t for t in ("<1 / 1 000 000", "6-9 / 10 000", ">1 / 1000", "Cases/families")}
    graph = make_graph(
        mentioned("D1", 29), mentioned("D2", 30), mentioned("D2", 1, total=10, corpus="C2"),
        band("D3", "<1 / 1 000 000"), band("D4", "6-9 / 10 000"), band("D5", ">1 / 1000"),
        band("D6", "Cases/families"),
        Edge(source="D7", relation=HAS, target="P1", num_affected=1, num_observed=1,
             references=("PMID:1",)),
        names=bands,
    )  # fmt: skip
    labels = {f"D{n}": rarity(graph, f"D{n}").labels for n in range(1, 8)}
    assert labels == {
        "D1": (Label.RARE_IN_LITERATURE,),  # 29 of 30 million is under one in a million
        "D2": (),  # 30 is not; the larger corpus counts
        "D3": (Label.RARE_DISEASE,),
        "D4": (),
        "D5": (),  # no upper end: not rare
        "D6": (),  # twelve reported families are no prevalence
        "D7": (Label.SPARSELY_ANNOTATED,),  # one reported person does not make it rare
    }
    assert mentions(graph, "D2").total == 30_000_000
    assert prevalence(graph, "D6") is None
    assert rare_diseases(graph) == {"D1", "D3"}


def test_worldwide_counts_before_areas_and_the_widest_claim_wins(make_graph):
    texts = ("<1 / 1 000 000", "1-9 / 100 000", "1-5 / 10 000")
    graph = make_graph(
        band("D1", texts[0]), band("D1", texts[2], area="Finland"),
        band("D2", texts[0], area="Japan"), band("D2", texts[1], area="Finland"),
        names={text: text for text in texts},
    )  # fmt: skip
    assert prevalence(graph, "D1").at_most == 1e-6  # 5e-4 holds in Finland alone
    assert (prevalence(graph, "D2").band, prevalence(graph, "D2").area) == (texts[1], "Finland")


def test_nothing_is_rare_where_nothing_says_so(make_graph):
    with pytest.raises(ValueError, match="no disease can be called rare: add a source"):
        rare_diseases(make_graph(("D1", HAS, "P1")))


def test_diseases_of_polygenic_genes_alone_are_no_rare_seeds(make_graph):
    def gene(disease, symbol, kind):
        return Edge(
            source=disease, relation=Relation.ASSOCIATED_GENE, target=symbol, qualifier=kind
        )

    graph = make_graph(
        gene("D1", "G1", "POLYGENIC"),
        gene("D2", "G1", "POLYGENIC"), gene("D2", "G2", "MENDELIAN"),
        gene("D3", "G1", ""),
    )  # fmt: skip
    assert [is_rare_seed_excluded(graph, f"D{n}") for n in (1, 2, 3)] == [True, False, False]
