"""A graph small enough to check by hand, and the brute-force checker."""

import importlib.util
from pathlib import Path

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.testing import question_checker
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

EYE, NERVE, SKIN = "HP:0000478", "HP:0000707", "HP:0001574"
ROOT = "HP:0000118"
P, G, I, O = (  # noqa: E741
    Relation.HAS_PHENOTYPE,
    Relation.ASSOCIATED_GENE,
    Relation.INHERITED_AS,
    Relation.HAS_ONSET,
)

# term: (name, parents, synonyms, definition)
TERMS = {
    ROOT: ("Phenotypic abnormality", (), (), ""),
    EYE: ("Abnormality of the eye", (ROOT,), (), ""),
    NERVE: ("Abnormality of the nervous system", (ROOT,), (), ""),
    SKIN: ("Abnormality of the skin", (ROOT,), (), ""),
    "HP:0": ("Lens anomaly", (EYE,), (), ""),
    "HP:1": (
        "Lens opacity",
        ("HP:0",),
        ("Cloudy lens",),
        "Loss of clarity of the lens. It varies.",
    ),
    "HP:2": ("Nuclear lens opacity", ("HP:1",), (), "A central clouding of the lens."),
    "HP:3": ("Raised eye pressure", (EYE,), (), "A pressure above the usual limit in a globe."),
    "HP:4": ("Seizure", (NERVE,), ("Fit",), "A sudden burst of activity in nerve cells."),
    "HP:5": ("Unsteadiness", (NERVE,), (), "A lack of balance when walking or standing."),
    "HP:6": ("Rash", (SKIN,), (), "A change of skin colour or texture."),
    "HP:7": ("Blister", (SKIN,), (), "A small bubble filled with fluid."),
    "HP:8": ("Tremor", (NERVE,), (), "An involuntary rhythmic shaking of a limb."),
}
DISEASES = {  # disease: (name, phenotypes, genes, modes, onsets)
    "OMIM:1": ("Alpha syndrome", ("HP:1", "HP:4", "HP:6"), ("AAA1",), ("AR",), ("INF",)),
    "OMIM:2": ("Beta syndrome", ("HP:2", "HP:5"), ("AAA1",), ("AD",), ("ADU",)),
    "OMIM:3": ("Gamma syndrome", ("HP:1", "HP:5", "HP:7"), ("BBB2",), ("AR",), ("ADU",)),
    "OMIM:4": ("Delta syndrome", ("HP:3", "HP:4"), ("CCC3", "DDD4"), ("AR", "AD"), ()),
    "OMIM:5": ("Epsilon syndrome", ("HP:3", "HP:5", "HP:8"), ("CCC3",), ("QUA",), ("INF",)),
    "OMIM:6": ("Zeta syndrome", ("HP:4", "HP:5"), ("EEE5",), ("AD",), ("INF",)),
}
CLOSED = {
    "AR": ("HP:0000007", Kind.INHERITANCE, "Autosomal recessive inheritance"),
    "AD": ("HP:0000006", Kind.INHERITANCE, "Autosomal dominant inheritance"),
    "QUA": ("HP:0034335", Kind.INHERITANCE, "Inheritance qualifier"),
    "INF": ("HP:0003593", Kind.ONSET, "Infantile onset"),
    "ADU": ("HP:0003581", Kind.ONSET, "Adult onset"),
}


def tiny_records(extra=()):
    """Entities and edges of the tiny graph; ``extra`` edges are added."""
    entities, edges = [], []
    for term, (name, parents, synonyms, definition) in TERMS.items():
        entities.append(
            Entity(
                id=term,
                kind=Kind.PHENOTYPE,
                name=name,
                synonyms=synonyms,
                definition=definition,
            )
        )
        edges += [Edge(source=term, relation=Relation.IS_A, target=one) for one in parents]
    entities += [Entity(id=one, kind=kind, name=name) for one, kind, name in CLOSED.values()]
    genes = sorted({gene for disease in DISEASES.values() for gene in disease[2]})
    entities += [Entity(id=f"GENE:{gene}", kind=Kind.GENE, name=gene) for gene in genes]
    for disease, (name, phenotypes, symbols, modes, onsets) in DISEASES.items():
        entities.append(Entity(id=disease, kind=Kind.DISEASE, name=name))
        targets = [(P, one) for one in phenotypes]
        targets += [(G, f"GENE:{one}") for one in symbols]
        targets += [(I, CLOSED[one][0]) for one in modes]
        targets += [(O, CLOSED[one][0]) for one in onsets]
        edges += [Edge(source=disease, relation=how, target=one) for how, one in targets]
    return entities, [*edges, *extra]


@pytest.fixture
def make_graph():
    """Builds the tiny graph with extra edges: (source, relation, target[, polarity])."""

    def make(*extra):
        edges = [
            Edge(
                source=source,
                relation=relation,
                target=target,
                polarity=polarity[0] if polarity else Polarity.POSITIVE,
            )
            for source, relation, target, *polarity in extra
        ]
        entities, edges = tiny_records(edges)
        return KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")

    return make


@pytest.fixture
def tiny_graph(make_graph):
    return make_graph()


@pytest.fixture(scope="session")
def brute_force():
    """The independent checker."""
    return question_checker


@pytest.fixture(scope="session")
def brute_force_forms():
    """The module brute_force_forms.py, which stands outside the package."""
    path = Path(__file__).with_name("brute_force_forms.py")
    spec = importlib.util.spec_from_file_location("brute_force_forms", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
