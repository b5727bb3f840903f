"""Rejections for faults that readers found."""

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions import strict
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.generate import generate_questions
from medr_jax.questions.strict import StrictReason
from medr_jax.types import Edge, Entity, Hop, Kind, Relation

GENE = Relation.ASSOCIATED_GENE


def disease(number, *xrefs, name="Alpha syndrome"):
    return Entity(id=f"MONDO:{number}", kind=Kind.DISEASE, name=name, xrefs=xrefs)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("OMIM:1",), ("ORPHA:1",), True),
        (("OMIM:1",), ("OMIM:2",), False),
        (("OMIM:1", "ORPHA:1"), ("ORPHA:2",), False),  # Orphanet itself tells them apart
        (("OMIM:1", "ORPHA:1"), ("ORPHA:2", "MONDO:1"), True),  # points at the first
        (("OMIM:1",), (), False),  # of no registry that we know
    ],
)
def test_diseases_that_no_registry_tells_apart(one, other, same):
    pair = disease(1, *one), disease(2, *other)
    assert strict.may_be_one(*pair) is strict.may_be_one(*pair[::-1]) is same


@pytest.mark.parametrize(
    ("symbol", "name", "same"),
    [
        ("CPT1A", "carnitine palmitoyl transferase 1A deficiency", True),
        ("CPT2", "carnitine palmitoyl transferase 1A deficiency", False),
        ("IL10RB", "inflammatory bowel disease 25", False),
        ("AS", "Alpha syndrome", False),  # two letters say nothing
    ],
)
def test_a_symbol_that_abbreviates_the_disease(symbol, name, same):
    assert strict.abbreviates(symbol, (name,)) is same
    assert strict.abbreviates(symbol, ("something else", name)) is same


def test_hops_are_judged_by_what_a_gene_joins():
    entities = [
        disease(1, "OMIM:1"),
        disease(2, "ORPHA:2", name="Beta syndrome"),
        Entity(id="GENE:XYZ1", kind=Kind.GENE, name="XYZ1"),
        Entity(id="GENE:BSY", kind=Kind.GENE, name="BS2"),
    ]
    edges = [Edge(source=f"MONDO:{one}", relation=GENE, target="GENE:XYZ1") for one in (1, 2)]
    graph = KnowledgeGraph.from_records(entities, edges, snapshot="T 2025-01-16")
    there = Hop(relation=GENE, source_id="MONDO:1", target_id="GENE:XYZ1")
    back = Hop(relation=GENE, source_id="GENE:XYZ1", target_id="MONDO:2", inverse=True)
    assert strict.check_hops(graph, [there, back]) is StrictReason.UNMERGED
    assert strict.check_hops(graph, [there]) is None
    assert strict.check_hops(graph, [back]) is None  # the other disease is not asked about


def test_a_definition_that_tells_the_name():
    def told(name, definition, *synonyms):
        entity = Entity(id="HP:1", kind=Kind.PHENOTYPE, name=name, synonyms=synonyms)
        graph = KnowledgeGraph.from_records([entity], [], snapshot="T 2025-01-16")
        return strict.check_definition(graph, definition, "HP:1")

    weakness = "A weakness of the muscles involved in chewing that lessens with rest"
    assert (
        told("Fatigable weakness of chewing muscles", weakness) is StrictReason.TELLING_DEFINITION
    )
    assert told("Masticatory fatigue", weakness) is None
    assert told("Masticatory fatigue", weakness, "Weak chewing") is StrictReason.TELLING_DEFINITION
    assert told("Partial abdominal muscle agenesis", "Failure to form the abdominal wall") is None


def test_a_strict_set_is_part_of_the_plain_one(tiny_graph):
    sizes = {"num_train": 200, "questions_per_seed": [50] * 5, "seeds": "any"}

    def texts(**changes):
        config = QuestionConfig(**sizes | changes)
        return {one.question_id for one in generate_questions(tiny_graph, config, "train")}

    plain, kept = texts(), texts(strict=True)
    assert kept < plain  # definitions such as "A central clouding of the lens" tell the name
