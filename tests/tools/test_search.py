"""The search tool."""

from medr_jax.tools.search import SearchTool


def make(engine, **options):
    return SearchTool(engine, num_hits=5, snippet_words=40, **options)


def test_hits_are_those_of_the_engine(engine):
    output = make(engine)(query="marfan syndrome genes")
    assert output.hits == tuple(engine.search("marfan syndrome genes"))
    assert output.hits[0].snippet == "Associated genes: FBN1."
    assert output.text == ""


def test_kind_and_exclusion(engine):
    assert [hit.doc_id for hit in make(engine)(query="fbn1", kind="gene").hits] == ["GENE:FBN1"]
    without = make(engine, exclude={"GENE:FBN1"})(query="fbn1")
    assert [hit.doc_id for hit in without.hits] == ["MONDO:1"]


def test_the_schema_names_the_kinds_of_the_index(engine):
    assert make(engine).parameters["properties"]["kind"]["enum"] == ["", "disease", "gene"]
