import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.kin import Kinship
from medr_jax.types import Edge, Entity, Kind, Relation

NAMES = {
    "OMIM:1": "Alpha dyskinesia 12",
    "OMIM:2": "Alpha dyskinesia",
    "OMIM:3": "Alpha dyskinesia 3",
    "OMIM:4": "Beta syndrome",
    "OMIM:5": "Gamma syndrome",
    "ORPHA:6": "Delta group",
    "MONDO:0014027": "hypotrichosis 11",  # real ids: in MONDO the second stands above
    "MONDO:0018914": "hypotrichosis simplex",
}


@pytest.fixture
def kinship():
    entities = [Entity(id=one, kind=Kind.DISEASE, name=name) for one, name in NAMES.items()]
    edges = [
        Edge(source="ORPHA:6", relation=Relation.BROADER_THAN, target=narrower)
        for narrower in ("OMIM:4", "OMIM:5")
    ]
    return Kinship(KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16"))


@pytest.mark.parametrize(
    ("one", "other", "kin"),
    [
        ("OMIM:1", "OMIM:3", True),  # two of a series
        ("OMIM:1", "OMIM:2", True),  # one of a series, and what the series is called
        ("OMIM:4", "OMIM:5", True),  # siblings of a broader disease
        ("ORPHA:6", "OMIM:4", True),
        ("MONDO:0014027", "MONDO:0018914", True),
        ("OMIM:1", "OMIM:4", False),
        ("OMIM:4", "MONDO:0018914", False),
    ],
)
def test_kin(kinship, one, other, kin):
    assert kinship.are_kin(one, other) is kin
    assert kinship.are_kin(other, one) is kin


def test_broader_and_narrower_are_inverse(kinship):
    assert kinship.broader("OMIM:4") == {"ORPHA:6"}
    assert kinship.narrower["ORPHA:6"] == ("OMIM:4", "OMIM:5")
    assert "MONDO:0014027" in kinship.narrower["MONDO:0018914"]
