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


def test_the_schema_is_as_small_models_know_it_unless_asked_otherwise(engine):
    assert list(make(engine).parameters["properties"]) == ["query", "kind"]
    assert make(engine).parameters["required"] == ["query"]
    more = make(engine, max_queries=3, max_hits=9).parameters
    assert list(more["properties"]) == ["queries", "kind", "num_hits"]
    assert more["required"] == ["queries"]
    assert more["properties"]["queries"]["maxItems"] == 3


def test_several_queries_take_turns_and_show_a_document_once(engine):
    tool = make(engine, max_queries=3)
    hits = tool(queries=["marfan syndrome", "fbn1", "script"]).hits
    first = [engine.search(query)[0].doc_id for query in ("marfan syndrome", "fbn1", "script")]
    assert [hit.doc_id for hit in hits][:3] == list(dict.fromkeys(first))
    assert len({hit.doc_id for hit in hits}) == len(hits)


def test_the_number_of_hits_can_be_asked_for(engine):
    tool = make(engine, max_hits=9)
    assert len(tool(query="marfan fbn1", num_hits=1).hits) == 1
    assert len(tool(query="marfan fbn1").hits) == 2
