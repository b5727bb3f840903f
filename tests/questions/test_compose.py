import random

import pytest

from medr_jax.questions.compose import Composer, join, source_phrase
from medr_jax.types import Chain, Clue, Hop, Relation

EYE = "HP:0000478"
CLUES = (
    Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:4", text="Seizure"),
    Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:6", text="A change of skin colour"),
)
HOPS = (
    Hop(relation=Relation.ASSOCIATED_GENE, source_id="OMIM:1", target_id="GENE:AAA1"),
    Hop(
        relation=Relation.ASSOCIATED_GENE,
        source_id="GENE:AAA1",
        target_id="OMIM:2",
        inverse=True,
    ),
    Hop(relation=Relation.HAS_PHENOTYPE, source_id="OMIM:2", target_id="HP:2", within_id=EYE),
)
DEFINED = Clue(relation=Relation.IS_A, entity_id="HP:2", text="A central clouding of the lens")


class First(random.Random):
    """Always the first of several."""

    def choice(self, options):
        return options[0]


def say(graph, chain, levels, others, style):
    composer = Composer(graph, {style: 1.0})
    return composer.question(chain, levels, others, First(0))


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (
            "nested",
            "According to the HPO annotations of 2025-01-16, which phenotype under "
            '"Abnormality of the eye" is annotated for the only other disease associated with '
            'the only gene associated with the disease annotated with "Seizure" and a phenotype '
            'described as "A change of skin colour"?',
        ),
        (
            "steps",
            "According to the HPO annotations of 2025-01-16, one disease is annotated with "
            '"Seizure" and a phenotype described as "A change of skin colour". Exactly one gene '
            "is associated with that disease. Exactly one other disease is associated with that "
            'gene. Which phenotype under "Abnormality of the eye" is annotated for that second '
            "disease?",
        ),
        (
            "walk",
            "According to the HPO annotations of 2025-01-16, start from the disease annotated "
            'with "Seizure" and a phenotype described as "A change of skin colour" and go to the '
            "only gene associated with that disease, then to the only other disease associated "
            'with that gene. Which phenotype under "Abnormality of the eye" is annotated for '
            "that second disease?",
        ),
    ],
)
def test_styles(tiny_graph, style, text):
    chain = Chain(clues=CLUES, hops=HOPS, seed_id="OMIM:1")
    said = say(tiny_graph, chain, ("name", "definition"), (False, True, False), style)
    assert said == text
    assert "AAA1" not in said and "Beta" not in said  # intermediate entities are never named


def test_definitions_and_parents_are_not_called_annotations(tiny_graph):
    parent = Hop(relation=Relation.IS_A, source_id="HP:2", target_id="HP:1")
    chain = Chain(clues=(DEFINED,), hops=(parent,), seed_id="HP:2")
    assert say(tiny_graph, chain, ("definition",), (False,), "nested") == (
        "According to the HPO release of 2025-01-16, which phenotype is the parent term of the "
        'phenotype described as "A central clouding of the lens"?'
    )
    none = Chain(clues=(DEFINED,), hops=(), seed_id="HP:2")
    assert say(tiny_graph, none, ("definition",), (), "steps").endswith(
        'which phenotype is described as "A central clouding of the lens"?'
    )


def test_a_gene_is_named_at_the_start(tiny_graph):
    hops = (
        Hop(
            relation=Relation.ASSOCIATED_GENE,
            source_id="GENE:BBB2",
            target_id="OMIM:3",
            inverse=True,
        ),
    )
    chain = Chain(clues=(), hops=hops, seed_id="GENE:BBB2")
    for style in ("nested", "steps", "walk"):  # one hop leaves nothing to walk or to tell
        said = say(tiny_graph, chain, (), (False,), style)
        assert said.endswith("which disease is associated with the gene BBB2?")


def test_long_chains_are_not_nested(tiny_graph):
    parent = Hop(relation=Relation.IS_A, source_id="HP:2", target_id="HP:1")
    chain = Chain(clues=CLUES, hops=(*HOPS, parent), seed_id="OMIM:1")
    composer = Composer(tiny_graph, {"nested": 1.0, "steps": 0.01, "walk": 0.0})
    said = composer.question(chain, ("name", "name"), (False, True, False, False), random.Random(0))
    assert said.count(".") == 4


def test_definitions_come_after_names(tiny_graph):
    said = say(
        tiny_graph,
        Chain(clues=CLUES[::-1], hops=(), seed_id="OMIM:1"),
        ("definition", "name"),
        (),
        "steps",
    )
    # 'described as "A change of skin colour" and "Seizure"' would describe one phenotype by both
    assert said.endswith('"Seizure" and a phenotype described as "A change of skin colour"?')


def test_snapshots_without_a_date():
    assert source_phrase("HPO 2025-01-16") == "the HPO annotations of 2025-01-16"
    assert source_phrase("My graph 2024") == "the My graph annotations of 2024"
    assert source_phrase("lab notes") == "the lab notes annotations"


def test_join():
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"]) == "a, b and c"
