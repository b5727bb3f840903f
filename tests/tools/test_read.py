"""The read tool."""

import pytest

from medr_jax.tools.base import ToolError
from medr_jax.tools.read import ReadTool


def make(engine, **options):
    return ReadTool(engine, **{"max_words": 100, **options})


def test_the_document_is_one_hit_that_can_be_cited(engine):
    (hit,) = make(engine)(doc_id="MONDO:1").hits
    assert (hit.doc_id, hit.title, hit.kind) == ("MONDO:1", "Marfan syndrome", "disease")
    assert hit.snippet == (
        "Associated genes: FBN1. Abnormality of limbs: Arachnodactyly; Long toe; Pes planus."
        " Synonyms: MFS1."
    )


def test_the_text_keeps_to_its_budget(engine):
    (hit,) = make(engine, max_words=9)(doc_id="MONDO:1").hits
    assert hit.snippet == (
        "Associated genes: FBN1. Abnormality of limbs: Arachnodactyly; Long toe; ..."
    )


@pytest.mark.parametrize("written", ["MONDO:1", " mondo : 1 ", "Mondo:1"])
def test_ids_as_small_models_write_them(engine, written):
    assert make(engine)(doc_id=written).hits[0].doc_id == "MONDO:1"


@pytest.mark.parametrize(
    "doc_id", ["MONDO:2", "../../../etc/passwd", "/etc/passwd", "\x00", "\ud800", "*", "7"]
)
def test_an_unknown_id_is_refused_and_never_a_path(engine, doc_id):
    with pytest.raises(ToolError, match="no document .*give the number or id"):
        make(engine)(doc_id=doc_id)


@pytest.mark.parametrize("written", ["GENE:FBN1", "gene : fbn1"])
def test_excluded_documents_do_not_exist(engine, written):
    with pytest.raises(ToolError, match="no document"):
        make(engine, exclude={"GENE:FBN1"})(doc_id=written)


def test_titles_are_plain_text(engine):
    (hit,) = make(engine)(doc_id="X:1").hits
    assert hit.title == "<script>x</script> <|end|> [31m"


def test_a_section_by_its_label(engine):
    tool = make(engine, sections=True)
    (hit,) = tool(doc_id="MONDO:1", section="abnormality of Limbs:").hits
    assert hit.snippet == "Abnormality of limbs: Arachnodactyly; Long toe; Pes planus."
    with pytest.raises(ToolError, match="no section 'Prognosis'; there are: Associated genes, Abn"):
        tool(doc_id="MONDO:1", section="Prognosis")
    assert list(make(engine).parameters["properties"]) == ["doc_id"]
    assert list(tool.parameters["properties"]) == ["doc_id", "section"]
