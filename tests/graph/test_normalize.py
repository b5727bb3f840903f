import pytest

from medr_jax.graph.build import assemble
from medr_jax.graph.mondo_table import MondoClass, MondoTable
from medr_jax.graph.names import fold, keep_unambiguous
from medr_jax.graph.normalize import cross_references
from medr_jax.graph.sources.base import SourceRecords
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

TABLE = MondoTable(
    [
        MondoClass("MONDO:1", "marfan syndrome", ("OMIM:1", "ORPHA:1")),  # one-to-one, twice
        MondoClass("MONDO:2", "alopecia", ("OMIM:2", "ORPHA:2", "ORPHA:3")),  # many ORPHA
        MondoClass("MONDO:3", "imperforate anus", ("OMIM:3", "OMIM:4")),  # many, no one else
        MondoClass("MONDO:4", "tooth agenesis", ("ORPHA:4", "ORPHA:999")),  # one is annotated
        MondoClass("MONDO:5", "loeys-dietz", ("ORPHA:5",)),
        MondoClass("MONDO:6", "loeys-dietz 2", ("ORPHA:5", "OMIM:6")),
    ],
    ambiguous=["dwarfism"],
)
SOURCE_IDS = ["OMIM:1", "OMIM:2", "OMIM:3", "OMIM:4", "OMIM:6", "OMIM:7"] + [
    f"ORPHA:{n}" for n in range(1, 6)
]


def records(**titles) -> SourceRecords:
    names = {key.replace("_", ":"): value for key, value in titles.items()}
    return SourceRecords(
        snapshot="T 1",
        entities=[
            Entity(id="HP:1", kind=Kind.PHENOTYPE, name="Tall stature"),
            *(Entity(id=i, kind=Kind.DISEASE, name=n) for i, n in names.items()),
        ],
        edges=[
            Edge(source=i, relation=Relation.HAS_PHENOTYPE, target="HP:1", origin=i)
            for i in sorted(names)
        ],
    )


def test_only_one_to_one_references_merge():
    found = cross_references(SOURCE_IDS, TABLE)
    assert found.merged == {
        "OMIM:1": "MONDO:1", "ORPHA:1": "MONDO:1", "OMIM:2": "MONDO:2", "OMIM:6": "MONDO:6"
    }  # fmt: skip
    # Several Orphanet ids on one class: links, not a merge.
    assert found.narrower == {
        "ORPHA:2": "MONDO:2", "ORPHA:3": "MONDO:2", "OMIM:3": "MONDO:3", "OMIM:4": "MONDO:3"
    }  # fmt: skip
    # ORPHA:4 shares its class with an id that the source does not annotate: still not 1:1.
    assert found.unlinked == {"ORPHA:4": "MONDO:4"}
    assert found.ambiguous == {"ORPHA:5": ("MONDO:5", "MONDO:6")}
    assert found.unknown == ["OMIM:7"]


def test_merged_diseases_carry_mondos_label_and_both_sources_edges():
    graph = assemble([records(OMIM_1="MENTAL RETARDATION, TALL", ORPHA_1="Marfan disease")], TABLE)
    assert graph.entity_ids(Kind.DISEASE) == ("MONDO:1",)
    marfan = graph.entity("MONDO:1")
    assert marfan.name == "marfan syndrome"
    assert marfan.synonyms == ("MENTAL RETARDATION, TALL", "Marfan disease")
    assert marfan.xrefs == ("OMIM:1", "ORPHA:1")
    assert graph.resolve("ORPHA:1") == "MONDO:1"
    assert [e.origin for e in graph.edges("MONDO:1", Relation.HAS_PHENOTYPE, "HP:1")] == [
        "OMIM:1",
        "ORPHA:1",
    ]
    assert graph.counts["merged_ids"] == 1
    assert "MONDO CC-BY-4.0" in graph.licences


def test_many_to_one_become_broader_links_and_ambiguous_ids_are_listed():
    titles = {i.replace(":", "_"): f"title {i}" for i in SOURCE_IDS}
    graph = assemble([records(**titles)], TABLE)
    assert graph.targets("MONDO:2", Relation.BROADER_THAN) == ("ORPHA:2", "ORPHA:3")
    # No id merged into MONDO:3; it becomes an entity to hold its two members together.
    assert graph.targets("MONDO:3", Relation.BROADER_THAN) == ("OMIM:3", "OMIM:4")
    assert graph.entity("MONDO:3").name == "imperforate anus"
    assert "MONDO:4" not in graph
    assert graph.entity("ORPHA:4").xrefs == ("MONDO:4",)
    assert graph.ambiguous_ids == {"ORPHA:5": ("MONDO:5", "MONDO:6")}
    assert graph.entity("ORPHA:5").name == "title ORPHA:5"
    assert graph.counts["narrower_ids"] == 4
    assert graph.counts["ids_unknown_to_mondo"] == 1


def test_a_conflict_after_merging_keeps_both_edges():
    source = records(OMIM_1="a", ORPHA_1="b")
    source.edges[1] = Edge(
        source="ORPHA:1", relation=Relation.HAS_PHENOTYPE, target="HP:1",
        polarity=Polarity.EXCLUDED,
    )  # fmt: skip
    graph = assemble([source], TABLE)
    assert len(graph.edges("MONDO:1", Relation.HAS_PHENOTYPE, "HP:1")) == 2
    assert graph.conflicts("MONDO:1", Relation.HAS_PHENOTYPE) == ("HP:1",)
    assert graph.counts["conflicting_pairs"] == 1


def entity(entity_id, name, *synonyms):
    return Entity(id=entity_id, kind=Kind.PHENOTYPE, name=name, synonyms=synonyms)


def test_a_synonym_that_names_anything_else_is_dropped():
    kept = keep_unambiguous(
        [
            entity("a", "Tall", "Lofty", "SHORT", "High", "Dwarfism", "tall", "Lanky", "LANKY "),
            entity("b", "Short", "high", "Small"),
        ],
        related_names=[("b", "lofty"), ("a", "small"), ("a", "Lanky")],
        ambiguous=frozenset({"dwarfism"}),
    )
    # SHORT names b, High is also b's, Lofty is loosely b's, Dwarfism is ambiguous in MONDO,
    # "tall" is the name itself; Small is loosely a's.
    assert {e.id: e.synonyms for e in kept} == {"a": ("Lanky",), "b": ()}


def test_sources_that_share_an_entity_are_joined():
    first, second = records(OMIM_7="x"), records(OMIM_7="x")
    second.entities[0] = Entity(
        id="HP:1", kind=Kind.PHENOTYPE, name="High stature", definition="Tall.", xrefs=("U:1",)
    )
    tall = assemble([first, second], TABLE).entity("HP:1")
    assert (tall.name, tall.synonyms) == ("Tall stature", ("High stature",))
    assert (tall.definition, tall.xrefs) == ("Tall.", ("U:1",))


@pytest.mark.parametrize("text", ["Straße", "STRASSE", " strasse ", "str\u00c4"])
def test_folding_is_idempotent(text):
    assert fold(fold(text)) == fold(text)
