import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.closure import Closure
from medr_jax.questions.hops import HopFinder
from medr_jax.questions.kin import Kinship
from medr_jax.questions.verify import Reason, Verifier
from medr_jax.types import Edge, Entity, Hop, Kind, Relation

EYE = "HP:0000478"


def make(graph):
    finder = HopFinder(graph, Closure(graph), max_degree=100)
    return Verifier(graph, finder, Kinship(graph))


def hop(relation, source, target, inverse=False, within=""):
    return Hop(
        relation=relation, source_id=source, target_id=target, inverse=inverse, within_id=within
    )


TO_GENE = hop(Relation.ASSOCIATED_GENE, "OMIM:1", "GENE:AAA1")
TO_OTHER = hop(Relation.ASSOCIATED_GENE, "GENE:AAA1", "OMIM:2", inverse=True)
TO_MODE = hop(Relation.INHERITED_AS, "OMIM:2", "HP:0000006")


def test_a_sound_chain_passes(tiny_graph):
    assert make(tiny_graph).check_hops("OMIM:1", [TO_GENE, TO_OTHER, TO_MODE]) is None


def test_an_earlier_disease_with_the_same_mode_is_a_bypass(make_graph):
    graph = make_graph(("OMIM:1", Relation.INHERITED_AS, "HP:0000006"))
    chain = [TO_GENE, TO_OTHER, TO_MODE]
    # even though the first disease has two modes, guessing from it would be right half the time
    assert make(graph).check_hops("OMIM:1", chain) is Reason.BYPASS


def test_a_phenotype_that_an_earlier_disease_satisfies_is_a_bypass(tiny_graph):
    last = hop(Relation.HAS_PHENOTYPE, "OMIM:3", "HP:1", within=EYE)
    verifier = make(tiny_graph)
    chain = [hop(Relation.ASSOCIATED_GENE, "OMIM:2", "GENE:BBB2"), last]
    # OMIM:2 is annotated with the nuclear form only: direct edges would not show the bypass
    assert verifier._bypassed(["OMIM:2", "GENE:BBB2", "OMIM:3", "HP:1"], last)
    assert verifier.check_hops("OMIM:2", chain[:1]) is None


def test_kin_in_a_chain(make_graph):
    graph = make_graph(("OMIM:2", Relation.BROADER_THAN, "OMIM:1"))
    assert make(graph).check_hops("OMIM:1", [TO_GENE, TO_OTHER]) is Reason.KIN_HOP


def titled(name, synonyms=(), gene="AAA1"):
    """A disease with one gene, mode, onset and phenotype, under the given names."""
    entities = [
        Entity(id="OMIM:1", kind=Kind.DISEASE, name=name, synonyms=synonyms),
        Entity(id=f"GENE:{gene}", kind=Kind.GENE, name=gene),
        Entity(id="HP:0000007", kind=Kind.INHERITANCE, name="Autosomal recessive inheritance"),
        Entity(id="HP:0003593", kind=Kind.ONSET, name="Infantile onset"),
        Entity(id="HP:9", kind=Kind.PHENOTYPE, name="Myoclonus"),
    ]
    edges = [
        Edge(source="OMIM:1", relation=relation, target=target)
        for relation, target in (
            (Relation.ASSOCIATED_GENE, f"GENE:{gene}"),
            (Relation.INHERITED_AS, "HP:0000007"),
            (Relation.HAS_ONSET, "HP:0003593"),
            (Relation.HAS_PHENOTYPE, "HP:9"),
        )
    ]
    return KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")


@pytest.mark.parametrize(
    ("name", "synonyms", "relation", "target", "reason"),
    [
        ("AAA1-related disorder", (), "associated_gene", "GENE:AAA1", True),
        ("Alpha", ("Alpha (AAA1)",), "associated_gene", "GENE:AAA1", True),
        ("AAA10-related disorder", (), "associated_gene", "GENE:AAA1", False),
        ("Alpha, autosomal recessive", (), "inherited_as", "HP:0000007", True),
        ("Alpha, X-linked", (), "inherited_as", "HP:0000007", False),
        ("Recessive alpha", (), "has_onset", "HP:0003593", False),
        ("Infantile alpha", (), "has_onset", "HP:0003593", True),
        ("Congenital alpha", (), "has_onset", "HP:0003593", True),
        ("Familial myoclonus", (), "has_phenotype", "HP:9", True),
        ("Familial myoclonia", (), "has_phenotype", "HP:9", False),
    ],
)
def test_titles_give_hops_away(name, synonyms, relation, target, reason):
    chain = [hop(Relation(relation), "OMIM:1", target)]
    expected = Reason.NAME_GIVEAWAY if reason else None
    if name == "Alpha, X-linked":
        expected = Reason.NAME_GIVEAWAY  # a mode word, though not this one
    assert make(titled(name, synonyms)).check_hops("OMIM:1", chain) is expected


def test_shared_names_are_refused():
    graph = titled("Alpha")
    twin = Entity(id="OMIM:2", kind=Kind.DISEASE, name="ALPHA")
    entities = [graph.entity(one) for one in graph.entity_ids()]
    edges = [edge for one in graph.entity_ids() for edge in graph.edges_of(one)]
    graph = KnowledgeGraph.from_records([*entities, twin], edges, snapshot="HPO 2025-01-16")
    assert make(graph).check_hops("OMIM:1", []) is Reason.SHARED_NAME


@pytest.mark.parametrize(
    ("clue", "hops", "expected"),
    [
        ("Rash", [], None),
        ("Alpha facies", [], Reason.CLUE_GIVEAWAY),  # the eponym
        ("Fever of alpha syndrome", [], Reason.NAMED),
        ("Rash", [TO_GENE], None),
        ("Low AAA1 activity", [TO_GENE], Reason.NAMED),
        ("Low AAA1 activity", [TO_GENE, TO_OTHER], Reason.NAMED),  # a hidden entity
        ("Low AAA10 activity", [TO_GENE, TO_OTHER], None),
        ("Recessive rash", [hop(Relation.INHERITED_AS, "OMIM:1", "HP:0000007")], "give"),
        ("Infantile rash", [hop(Relation.INHERITED_AS, "OMIM:1", "HP:0000007")], None),
        ("Infantile rash", [hop(Relation.HAS_ONSET, "OMIM:1", "HP:0003593")], "give"),
        ("Rash at birth", [hop(Relation.HAS_ONSET, "OMIM:1", "HP:0003593")], "give"),
        ("Opacity", [hop(Relation.HAS_PHENOTYPE, "OMIM:1", "HP:1", within=EYE)], "give"),
        ("Cloudy lens", [hop(Relation.HAS_PHENOTYPE, "OMIM:1", "HP:1", within=EYE)], Reason.NAMED),
    ],
)
def test_texts_give_answers_away(tiny_graph, clue, hops, expected):
    text = f'Which thing is annotated for the disease annotated with "{clue}"?'
    reason = make(tiny_graph).check_text(text, [clue], "OMIM:1", hops)
    assert reason is (Reason.CLUE_GIVEAWAY if expected == "give" else expected)


def test_a_named_gene_must_not_stand_in_the_answer():
    graph = titled("Deficiency of BBB2", gene="BBB2")
    back = hop(Relation.ASSOCIATED_GENE, "GENE:BBB2", "OMIM:1", inverse=True)
    text = "Which disease is associated with the gene BBB2?"
    assert make(graph).check_text(text, [], "GENE:BBB2", [back]) is Reason.CLUE_GIVEAWAY
