"""The real corpus: size, and whether what an agent asks for comes first."""

import itertools
import random

import pytest

from medr_jax.retrieval.corpus import documents_from_graph
from medr_jax.types import Kind, Relation

NUM_SAMPLES = 60


@pytest.fixture(scope="module")
def sample(hpo_graph):
    rng = random.Random(0)

    def pick(kind, *, having=None):
        ids = hpo_graph.entity_ids(kind)
        if having is not None:
            ids = [i for i in ids if hpo_graph.targets(i, having)]
        ids = [i for i in ids if not hpo_graph.same_name(i)]
        return [hpo_graph.entity(i) for i in rng.sample(ids, NUM_SAMPLES)]

    return pick


def share(hits_per_query, wanted_ids, depth=1):
    found = [
        wanted in [hit.doc_id for hit in hits[:depth]]
        for hits, wanted in zip(hits_per_query, wanted_ids, strict=True)
    ]
    return sum(found) / len(found)


def test_size(hpo_engine):
    assert len(hpo_engine) >= 30_000
    assert hpo_engine.kinds == ("disease", "gene", "phenotype")
    assert min(hpo_engine.counts.values()) > 5_000


def test_documents_are_those_of_the_graph(hpo_engine, hpo_graph):
    for document in itertools.islice(documents_from_graph(hpo_graph), 300):
        assert hpo_engine.document(document.doc_id) == document


@pytest.mark.parametrize("kind", [Kind.DISEASE, Kind.GENE, Kind.PHENOTYPE])
def test_a_name_finds_its_document(hpo_engine, sample, kind):
    entities = sample(kind)
    hits = hpo_engine.search_many([entity.name for entity in entities])
    assert share(hits, [entity.id for entity in entities]) >= 0.95


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        (Relation.INHERITED_AS, "inheritance"),
        (Relation.ASSOCIATED_GENE, "associated genes"),
        (Relation.HAS_ONSET, "onset"),
    ],
)
def test_a_fact_of_a_disease_is_in_the_first_snippet(
    hpo_engine, hpo_graph, sample, relation, words
):
    stated = 0
    for disease in sample(Kind.DISEASE, having=relation):
        (hit, *_) = hpo_engine.search(f"{disease.name} {words}")
        names = [hpo_graph.entity(i).name for i in hpo_graph.targets(disease.id, relation)]
        stated += hit.doc_id == disease.id and all(name in hit.snippet for name in names[:3])
    assert stated / NUM_SAMPLES >= 0.95


def test_two_findings_lead_to_diseases_that_have_both(hpo_engine, hpo_graph, sample):
    rng = random.Random(1)
    good = 0
    for disease in sample(Kind.DISEASE, having=Relation.HAS_PHENOTYPE):
        stated = hpo_graph.targets(disease.id, Relation.HAS_PHENOTYPE)
        wanted = rng.sample(stated, min(2, len(stated)))
        names = [hpo_graph.entity(i).name for i in wanted]
        (hit, *_) = hpo_engine.search(", ".join(names), kind="disease")
        has_both = set(wanted) <= set(hpo_graph.targets(hit.doc_id, Relation.HAS_PHENOTYPE))
        good += has_both and all(name in hit.snippet for name in names)
    assert good / NUM_SAMPLES >= 0.9


def test_a_definition_finds_its_phenotype(hpo_engine, sample):
    phenotypes = [entity for entity in sample(Kind.PHENOTYPE) if entity.definition]
    hits = hpo_engine.search_many([entity.definition for entity in phenotypes])
    assert share(hits, [entity.id for entity in phenotypes]) >= 0.95


def test_identifiers_of_other_registries(hpo_engine, sample):
    diseases = [disease for disease in sample(Kind.DISEASE) if disease.xrefs]
    for disease in diseases:
        assert disease.id in [hit.doc_id for hit in hpo_engine.search(disease.xrefs[0])]


def test_snippets_keep_to_their_budget(hpo_engine, sample):
    for disease in sample(Kind.DISEASE):
        for hit in hpo_engine.search(disease.name, snippet_words=25):
            assert len([word for word in hit.snippet.split() if word != "..."]) <= 25
