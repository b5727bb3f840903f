from medr_jax.graph.families import disease_families
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.splits import assign_splits
from medr_jax.types import Edge, Entity, Kind, Relation


def graph(num_families=60):
    """Families of two diseases that share a gene."""
    entities, edges = [], []
    for number in range(num_families):
        gene = f"GENE:G{number}"
        entities.append(Entity(id=gene, kind=Kind.GENE, name=f"G{number}"))
        for letter in "ab":
            disease = f"OMIM:{number:03d}{letter}"
            entities.append(Entity(id=disease, kind=Kind.DISEASE, name=f"D {number} {letter} x"))
            edges.append(Edge(source=disease, relation=Relation.ASSOCIATED_GENE, target=gene))
    entities.append(Entity(id="HP:1", kind=Kind.PHENOTYPE, name="Rash"))
    return KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")


def test_families_stay_together_and_fractions_hold():
    kg = graph()
    splits = assign_splits(kg, QuestionConfig(dev_fraction=0.1, test_fraction=0.2))
    families = disease_families(kg)
    for number in range(60):
        members = (f"OMIM:{number:03d}a", f"OMIM:{number:03d}b", f"GENE:G{number}")
        assert len({families[one] for one in members}) == 1
        assert len({splits.split_of(one) for one in members}) == 1
    counts = splits.counts(kg)
    assert (counts["test_disease"], counts["dev_disease"], counts["test_gene"]) == (24, 12, 12)


def test_the_seed_decides():
    kg = graph()
    first = assign_splits(kg, QuestionConfig(seed=1))
    assert first == assign_splits(kg, QuestionConfig(seed=1))
    assert first.by_entity != assign_splits(kg, QuestionConfig(seed=2)).by_entity


def test_diseases_with_many_genes_only_train():
    kg = graph(8)
    entities = [kg.entity(one) for one in kg.entity_ids()]
    entities.append(Entity(id="OMIM:hub", kind=Kind.DISEASE, name="Hub disorder"))
    edges = [edge for one in kg.entity_ids() for edge in kg.edges_of(one)]
    edges += [
        Edge(source="OMIM:hub", relation=Relation.ASSOCIATED_GENE, target=f"GENE:G{number}")
        for number in range(4)
    ]
    kg = KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")
    config = QuestionConfig(dev_fraction=0.45, test_fraction=0.5)
    assert assign_splits(kg, config).split_of("OMIM:hub") == "train"


def test_phenotypes_are_shared_but_seed_one_split():
    splits = assign_splits(graph(), QuestionConfig(dev_fraction=0.3, test_fraction=0.3))
    assert splits.split_of("HP:1") == ""
    assert all(splits.shares("HP:1", split) for split in ("train", "dev", "test"))
    seeded = {splits.split_of_seed(f"HP:{number}") for number in range(40)}
    assert seeded == {"train", "dev", "test"}
    for number in range(10):
        only = f"OMIM:{number:03d}a"
        assert splits.split_of_seed("HP:1", (only,)) == splits.split_of(only)
