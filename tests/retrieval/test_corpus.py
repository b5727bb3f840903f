"""Documents written from a small graph."""

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval.corpus import documents_from_graph
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

PHENOTYPES = {
    "HP:0000118": ("Phenotypic abnormality", ()),
    "HP:1": ("Abnormality of the eye", ("HP:0000118",)),
    "HP:2": ("Abnormality of limbs", ("HP:0000118",)),
    "HP:3": ("Myopia", ("HP:1",)),
    "HP:4": ("Eye and hand anomaly", ("HP:1", "HP:2")),
    "HP:5": ("Past event", ()),
    "HP:6": ("Cataract", ("HP:1",)),
}


def has(target: str, **fields) -> Edge:
    return Edge(source="D:1", relation=Relation.HAS_PHENOTYPE, target=target, **fields)


@pytest.fixture(scope="module")
def documents():
    entities = [
        Entity(id=i, kind=Kind.PHENOTYPE, name=name, definition=f"About {name}.")
        for i, (name, _) in PHENOTYPES.items()
    ]
    entities += [
        Entity(id="D:1", kind=Kind.DISEASE, name="Disease; one", xrefs=("OMIM:7",)),
        Entity(id="D:2", kind=Kind.DISEASE, name="another", synonyms=("second",)),
        Entity(id="GENE:A", kind=Kind.GENE, name="A"),
        Entity(id="GENE:B", kind=Kind.GENE, name="B"),
        Entity(id="HP:I", kind=Kind.INHERITANCE, name="Autosomal dominant inheritance"),
        Entity(id="HP:O", kind=Kind.ONSET, name="Congenital onset"),
        Entity(id="HP:C", kind=Kind.COURSE, name="Progressive"),
    ]
    edges = [
        Edge(source=child, relation=Relation.IS_A, target=parent)
        for child, (_, parents) in PHENOTYPES.items()
        for parent in parents
    ]
    edges += [
        has("HP:3", num_affected=1, num_observed=2, frequency="1/2", references=("PMID:9",)),
        has("HP:3", num_affected=14, num_observed=15, frequency="14/15", references=("PMID:10",)),
        has("HP:4", frequency="40%", references=("OMIM:7",)),
        has("HP:5"),
        has("HP:6", polarity=Polarity.EXCLUDED, num_affected=0, num_observed=4),
        Edge(source="D:1", relation=Relation.ASSOCIATED_GENE, target="GENE:B"),
        Edge(source="D:1", relation=Relation.ASSOCIATED_GENE, target="GENE:A"),
        Edge(source="D:2", relation=Relation.ASSOCIATED_GENE, target="GENE:A"),
        Edge(source="D:1", relation=Relation.INHERITED_AS, target="HP:I"),
        Edge(source="D:1", relation=Relation.HAS_ONSET, target="HP:O"),
        Edge(source="D:1", relation=Relation.HAS_COURSE, target="HP:C"),
    ]
    graph = KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")
    return {document.doc_id: document for document in documents_from_graph(graph)}


def test_diseases_genes_and_phenotypes_have_documents_and_others_do_not(documents):
    assert set(documents) == {"D:1", "D:2", "GENE:A", "GENE:B", *PHENOTYPES}


def test_a_disease_states_its_facts_in_the_agreed_words(documents):
    assert documents["D:1"].segments == (
        "Associated genes: A; B.",
        "Inheritance: Autosomal dominant inheritance.",
        "Onset: Congenital onset.",
        "Clinical course: Progressive.",
        # In every branch that holds it; 14/15 because it is the larger report, not 1/2.
        "Abnormality of limbs: Eye and hand anomaly (40%).",
        "Abnormality of the eye: Eye and hand anomaly (40%); Myopia (14/15).",
        "Other findings: Past event.",
        "Reported absent: Cataract.",
    )


def test_an_excluded_finding_stands_nowhere_else(documents):
    stated = [s for s in documents["D:1"].segments if not s.startswith("Reported absent")]
    assert not any("Cataract" in segment for segment in stated)


def test_a_gene_lists_its_diseases_by_name(documents):
    # Case does not count in the order; the semicolon of a name would end the item.
    assert documents["GENE:A"].segments == ("Associated diseases: another; Disease, one.",)


def test_a_phenotype_has_definition_and_parents_but_no_diseases(documents):
    assert documents["HP:4"].segments == (
        "Definition: About Eye and hand anomaly.",
        "Is a: Abnormality of limbs; Abnormality of the eye.",
    )


def test_provenance(documents):
    disease = documents["D:1"]
    assert disease.identifiers == ("D:1", "OMIM:7")
    assert disease.references == ("PMID:10", "PMID:9")
    assert disease.date == "2025-01-16"
    assert disease.source == "HPO 2025-01-16"
    assert documents["D:2"].synonyms == ("second",)


def test_authority_is_one_value_whatever_the_number_of_annotations(documents):
    assert {document.authority for document in documents.values()} == {1.0}
