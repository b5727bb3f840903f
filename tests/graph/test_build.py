import time

import pytest

from medr_jax.graph.build import GraphConfig, SourceConfig, build_graph
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Polarity, Relation


def test_config_says_what_it_wants(tmp_path):
    with pytest.raises(ValueError, match=r"graph.sources\[0\].format='primkg': choose one of"):
        GraphConfig(sources=[SourceConfig(format="primkg")])
    with pytest.raises(ValueError, match=r"sources\[1\].path='.*nowhere' is neither"):
        GraphConfig(sources=[SourceConfig(), SourceConfig(path=str(tmp_path / "nowhere"))])
    with pytest.raises(ValueError, match=r"sources\[0\].path is empty: give the file"):
        GraphConfig(sources=[SourceConfig(format="triples")])
    with pytest.raises(ValueError, match="graph.sources is empty"):
        GraphConfig(sources=[])


def test_builds_from_a_release_directory(write_release, row):
    folder = write_release(
        [
            row("OMIM:154700", "HP:0000518", name="Marfan syndrome;", frequency="3/4"),
            row("ORPHA:558", "HP:0000518", name="MFS as Orphanet says it"),
            row("OMIM:154700", "HP:0000545", frequency="0/4"),
        ],
        genes=[("FBN1", "OMIM:154700")],
    )
    graph = build_graph(GraphConfig(sources=[SourceConfig(path=str(folder))]))
    assert graph.snapshot == "HPO 2031-02-03"
    # ORPHA:558 stands on two MONDO classes: it is ambiguous and does not merge.
    assert graph.entity_ids(Kind.DISEASE) == ("MONDO:0007947", "ORPHA:558")
    assert graph.ambiguous_ids == {"ORPHA:558": ("MONDO:0007947", "MONDO:0012427")}
    assert graph.targets("MONDO:0007947", Relation.HAS_PHENOTYPE) == ("HP:0000518",)
    assert graph.targets("MONDO:0007947", Relation.HAS_PHENOTYPE, Polarity.EXCLUDED) == (
        "HP:0000545",
    )
    assert graph.targets("MONDO:0007947", Relation.ASSOCIATED_GENE) == ("GENE:FBN1",)
    assert graph.sources_under("HP:0000478", Relation.HAS_PHENOTYPE) == {
        "MONDO:0007947", "ORPHA:558"
    }  # fmt: skip
    # "Cloudy lens" is also a broad synonym of myopia, "Eye disease" of nothing else.
    assert graph.entity("HP:0000518").synonyms == ("Lens opacity",)
    assert graph.entity("HP:0000478").synonyms == ("Eye disease",)


def test_real_counts_are_those_of_the_release(hpo_graph):
    counts = hpo_graph.counts
    assert hpo_graph.snapshot == "HPO 2025-01-16"
    assert counts["phenotype"] == 18_387
    assert counts["gene"] == 5_126
    assert counts["source_diseases"] == 12_687
    # FACTS counts 10,466 when every reference merges; one-to-one only merges fewer.
    assert 10_466 <= counts["disease"] <= 10_800
    assert 230_000 <= counts["pairs_has_phenotype"] <= 240_000
    assert counts["excluded_edges"] == 2_704
    assert counts["ambiguous_ids"] == 131
    assert counts["merged_ids"] > 2_000
    assert 50 <= counts["conflicting_pairs"] <= 110


def test_real_merged_diseases_are_one_to_one(hpo_graph):
    vocabularies = {}
    for disease_id in hpo_graph.entity_ids(Kind.DISEASE):
        if not disease_id.startswith("MONDO:"):
            continue
        prefixes = [x.split(":")[0] for x in hpo_graph.entity(disease_id).xrefs]
        assert len(prefixes) == len(set(prefixes)), disease_id
        vocabularies[disease_id] = prefixes
    assert sum(len(prefixes) > 1 for prefixes in vocabularies.values()) > 2_000


def test_real_edges_carry_provenance_and_licence(hpo_graph):
    for disease_id in hpo_graph.entity_ids(Kind.DISEASE)[::200]:
        for edge in hpo_graph.edges_of(disease_id):
            assert edge.origin and edge.licence, edge
            if edge.num_affected == 0:
                assert edge.polarity is Polarity.EXCLUDED


def test_real_synonyms_name_one_entity(hpo_graph):
    owners: dict[str, set[str]] = {}
    for entity_id in hpo_graph.entity_ids():
        entity = hpo_graph.entity(entity_id)
        for text in (entity.name, *entity.synonyms):
            owners.setdefault(text.casefold(), set()).add(entity_id)
    for entity_id in hpo_graph.entity_ids():
        for synonym in hpo_graph.entity(entity_id).synonyms:
            assert owners[synonym.casefold()] == {entity_id}


@pytest.mark.slow
def test_cold_build_and_warm_load_are_fast(tmp_path):
    # CPU seconds: the same on a busy machine; nothing here waits for anything else.
    start = time.process_time()
    graph = build_graph(GraphConfig())
    cold = time.process_time() - start
    graph.save(tmp_path)
    start = time.process_time()
    loaded = KnowledgeGraph.load(tmp_path)
    warm = time.process_time() - start
    assert loaded.content_hash == graph.content_hash
    assert cold <= 15 and warm <= 2, (cold, warm)
