import random

import pytest

from medr_jax.eval.reading import Move, Target, read_question
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.compose import Composer
from medr_jax.types import Chain, Clue, Entity, Hop, Kind, Relation

SOURCE = "According to the HPO annotations of 2025-01-16, "


@pytest.mark.parametrize(
    ("text", "start", "clues", "moves"),
    [
        (
            'which is the only disease annotated with "Tall stature" and "Ectopia lentis"?',
            Target.DISEASE,
            ("Tall stature", "Ectopia lentis"),
            [],
        ),
        (  # nested: the start stands last
            "which other disease is associated with the only gene associated with the disease "
            'annotated with "Tall stature"?',
            Target.DISEASE,
            ("Tall stature",),
            [Move(target=Target.GENE), Move(target=Target.DISEASE, is_other=True)],
        ),
        (  # steps: the start stands first, a definition among the clues is no step
            'exactly one disease is annotated with "A" and a phenotype described as "gene loss". '
            "That disease is associated with exactly one gene. "
            'What is the only phenotype under "Abnormality of the eye" annotated for that gene?',
            Target.DISEASE,
            ("A", "gene loss"),
            [
                Move(target=Target.GENE),
                Move(target=Target.PHENOTYPE, branch="Abnormality of the eye"),
            ],
        ),
        (  # walk
            'start from the disease annotated with "A" and go to the gene associated with that '
            "disease, then to the only other disease associated with that gene. What is the "
            "annotated mode of inheritance of that second disease?",
            Target.DISEASE,
            ("A",),
            [
                Move(target=Target.GENE),
                Move(target=Target.DISEASE, is_other=True),
                Move(target=Target.INHERITANCE),
            ],
        ),
        (
            'which phenotype is the parent term of the phenotype described as "a deviation"?',
            Target.PHENOTYPE,
            ("a deviation",),
            [Move(target=Target.PARENT)],
        ),
    ],
)
def test_reads_start_clues_and_moves(text, start, clues, moves):
    reading = read_question(SOURCE + text)
    assert (reading.start, reading.clues, list(reading.moves)) == (start, clues, moves)


def test_a_named_gene_is_the_start():
    reading = read_question(SOURCE + "what is the only disease associated with the gene C9orf72?")
    assert (reading.gene, reading.start) == ("C9orf72", Target.GENE)
    assert [move.target for move in reading.moves] == [Target.DISEASE]


def test_nothing_recognised_is_none():
    assert read_question("Who discovered it?") is None
    assert read_question("") is None


# -- every wording that questions are composed with ------------------------------------------

CLUE = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="Tall stature")
DEFINED = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:2", text="A lens out of its place")
IDENTITY = Clue(relation=Relation.IS_A, entity_id="HP:2", text="A lens out of its place")
TO_GENE = Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id="G1")
TO_OTHER = Hop(relation=Relation.ASSOCIATED_GENE, source_id="G1", target_id="D2", inverse=True)
TO_BRANCH = Hop(relation=Relation.HAS_PHENOTYPE, source_id="D1", target_id="HP:2", within_id="HP:9")
FROM_SIGN = Hop(relation=Relation.HAS_PHENOTYPE, source_id="HP:2", target_id="D2", inverse=True)
TO_MODE = Hop(relation=Relation.INHERITED_AS, source_id="D2", target_id="HP:1")
TO_ONSET = Hop(relation=Relation.HAS_ONSET, source_id="D2", target_id="HP:1")
TO_COURSE = Hop(relation=Relation.HAS_COURSE, source_id="D2", target_id="HP:1")
TO_PARENT = Hop(relation=Relation.IS_A, source_id="HP:2", target_id="HP:1")

CHAINS = [
    ((CLUE,), ()),
    ((CLUE, DEFINED), (TO_GENE,)),
    ((CLUE, DEFINED), (TO_GENE, TO_OTHER)),
    ((CLUE,), (TO_GENE, TO_OTHER, TO_MODE)),
    ((DEFINED,), (TO_BRANCH, FROM_SIGN, TO_ONSET)),
    ((CLUE,), (TO_BRANCH, TO_PARENT)),
    ((IDENTITY,), ()),
    ((IDENTITY,), (TO_PARENT,)),
    ((IDENTITY,), (FROM_SIGN, TO_COURSE)),
    ((), (TO_OTHER,)),
    ((), (TO_OTHER, TO_MODE)),
]
TARGETS = {
    Relation.ASSOCIATED_GENE: (Target.GENE, Target.DISEASE),
    Relation.HAS_PHENOTYPE: (Target.PHENOTYPE, Target.DISEASE),
    Relation.INHERITED_AS: (Target.INHERITANCE, None),
    Relation.HAS_ONSET: (Target.ONSET, None),
    Relation.HAS_COURSE: (Target.COURSE, None),
    Relation.IS_A: (Target.PARENT, None),
}


@pytest.fixture(scope="module")
def composer():
    kinds = {"D": Kind.DISEASE, "G": Kind.GENE, "H": Kind.PHENOTYPE}
    ids = ["D1", "D2", "G1", "HP:1", "HP:2", "HP:9"]
    names = dict(
        zip(
            ids,
            ["A", "B", "FBN1", "Tall stature", "Ectopia lentis", "Abnormality of the eye"],
            strict=True,
        )
    )
    entities = [Entity(id=one, kind=kinds[one[0]], name=names[one]) for one in ids]
    graph = KnowledgeGraph.from_records(entities, [], snapshot="HPO 2025-01-16")
    return Composer(graph, {"nested": 1.0, "steps": 1.0, "walk": 1.0})


@pytest.mark.parametrize(("clues", "hops"), CHAINS)
def test_reads_every_wording_of_a_chain(composer, clues, hops):
    chain = Chain(clues=clues, hops=hops, seed_id="D1")
    levels = tuple("definition" if "lens" in clue.text else "name" for clue in clues)
    others = tuple(hop is TO_OTHER and bool(clues) for hop in hops)
    for seed in range(60):
        text = composer.question(chain, levels, others, random.Random(seed))
        reading = read_question(text)
        assert reading.clues == tuple(clue.text for clue in clues), text
        assert bool(reading.gene) == (not clues), text
        expected = [TARGETS[hop.relation][hop.inverse] for hop in hops]
        assert [move.target for move in reading.moves] == expected, text
        assert [move.is_other for move in reading.moves] == list(others), text
        assert [bool(move.branch) for move in reading.moves] == [
            bool(hop.within_id) for hop in hops
        ], text
