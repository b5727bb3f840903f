"""A hand-made corpus, small enough to make a whole dataset in a second."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import documents_from_graph
from medr_jax.retrieval.index import build_index
from medr_jax.types import Edge, Entity, Kind, Relation

ROOT = "HP:0000118"
BRANCHES = {
    "HP:0000478": "Abnormality of the eye",
    "HP:0000707": "Abnormality of the nervous system",
    "HP:0001626": "Abnormality of the cardiovascular system",
}
MODES = {"HP:0000006": "Autosomal dominant inheritance", "HP:0000007": "Autosomal recessive"}
ONSETS = {"HP:0003577": "Congenital onset", "HP:0003581": "Adult onset"}
SYLLABLES = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"]


def made_up_names(rng: random.Random, count: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names["".join(rng.choices(SYLLABLES, k=4))] = None
    return list(names)


def toy_graph(num_diseases: int = 60) -> KnowledgeGraph:
    """Diseases with six of forty phenotypes, a gene each (some shared), a mode and an onset."""
    rng = random.Random(5)
    entities = [Entity(id=ROOT, kind=Kind.PHENOTYPE, name="Phenotypic abnormality")]
    edges = []
    for branch, name in BRANCHES.items():
        entities.append(Entity(id=branch, kind=Kind.PHENOTYPE, name=name))
        edges.append(Edge(source=branch, relation=Relation.IS_A, target=ROOT))
    for kind, terms in ((Kind.INHERITANCE, MODES), (Kind.ONSET, ONSETS)):
        entities += [Entity(id=term, kind=kind, name=name) for term, name in terms.items()]
    phenotypes = [f"HP:90000{number:02d}" for number in range(40)]
    for number, (term, name) in enumerate(zip(phenotypes, made_up_names(rng, 40), strict=True)):
        entities.append(Entity(id=term, kind=Kind.PHENOTYPE, name=f"{name} finding".capitalize()))
        branch = list(BRANCHES)[number % len(BRANCHES)]
        edges.append(Edge(source=term, relation=Relation.IS_A, target=branch))
    for number in range(num_diseases * 2 // 3):
        entities.append(Entity(id=f"GENE:G{number}X", kind=Kind.GENE, name=f"G{number}X"))
    for number, name in enumerate(made_up_names(rng, num_diseases)):
        disease = f"OMIM:{100000 + number}"
        entities.append(Entity(id=disease, kind=Kind.DISEASE, name=f"{name} disease"))
        gene = f"GENE:G{number % (num_diseases * 2 // 3)}X"
        facts = [
            (Relation.ASSOCIATED_GENE, gene),
            (Relation.INHERITED_AS, rng.choice(list(MODES))),
            (Relation.HAS_ONSET, rng.choice(list(ONSETS))),
            *((Relation.HAS_PHENOTYPE, term) for term in rng.sample(phenotypes, 6)),
        ]
        edges += [Edge(source=disease, relation=how, target=what) for how, what in facts]
    return KnowledgeGraph.from_records(entities, edges, snapshot="Toy 2025-01-16")


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> SimpleNamespace:
    """Folders of the toy graph and of its index."""
    folder: Path = tmp_path_factory.mktemp("toy")
    graph = toy_graph()
    (folder / "graph").mkdir()
    graph.save(folder / "graph")
    build_index(documents_from_graph(graph), folder / "index", IndexConfig())
    return SimpleNamespace(graph=folder / "graph", index=folder / "index")
