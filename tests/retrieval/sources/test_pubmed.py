"""PubMed/MEDLINE XML."""

from medr_jax.retrieval.authority import AUTHORITY, Evidence
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.sources import pubmed
from medr_jax.retrieval.sources.base import Removal

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle//EN" "pubmed.dtd">
<PubmedArticleSet>"""


def citation(pmid, title="A trial of <i>X</i> in β<sub>2</sub> disease.", extra="", types=()):
    types = "".join(f"<PublicationType>{kind}</PublicationType>" for kind in types)
    return f"""<PubmedArticle><MedlineCitation><PMID Version="2">{pmid}</PMID>
    <Article><Journal><JournalIssue><PubDate><Year>2019</Year><Month>Mar</Month></PubDate>
    </JournalIssue><Title>Journal of Examples</Title></Journal><ArticleTitle>{title}</ArticleTitle>
    <Abstract><AbstractText Label="METHODS">We did; it; all; twice.</AbstractText>
    <AbstractText>Nothing more.</AbstractText></Abstract>
    <PublicationTypeList>{types}</PublicationTypeList></Article>{extra}
    <MeshHeadingList><MeshHeading><DescriptorName UI="D1">Asthma</DescriptorName></MeshHeading>
    </MeshHeadingList></MedlineCitation><PubmedData><ArticleIdList>
    <ArticleId IdType="doi">10.1000/abc</ArticleId><ArticleId IdType="pmc">PMC7700001</ArticleId>
    </ArticleIdList></PubmedData></PubmedArticle>"""


RETRACTED_IN = """<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn">
<PMID>99</PMID></CommentsCorrections></CommentsCorrectionsList>"""


def test_a_citation(read, write):
    body = citation(11, types=["Journal Article", "Randomized Controlled Trial"])
    documents, skipped = read(pubmed.read, write("a.xml.gz", f"{HEAD}{body}</PubmedArticleSet>"))
    found = documents["PMID:11"]
    assert skipped.count == 0
    assert found.title == "A trial of X in β2 disease"
    # Semicolons do not make a list of a sentence.
    assert found.segments[:2] == ("Methods. We did; it; all; twice.", "Nothing more.")
    assert "MeSH terms: Asthma." in found.segments
    assert found.identifiers == ("PMID:11", "DOI:10.1000/abc", "PMC7700001")
    assert (found.date, found.kind, found.source) == ("2019-03", "article", "PubMed")
    assert found.evidence == "randomised_trial"
    assert found.authority == AUTHORITY[Evidence.RANDOMISED_TRIAL]


def test_a_retraction_outweighs_the_design(read, write):
    body = citation(1, extra=RETRACTED_IN, types=["Meta-Analysis"])
    body += citation(2, types=["Retracted Publication", "Randomized Controlled Trial"])
    documents, _ = read(pubmed.read, write("a.xml", f"{HEAD}{body}</PubmedArticleSet>"))
    for found in documents.values():
        assert (found.evidence, found.authority) == ("retracted", 0.0)
        assert found.heading.startswith("[RETRACTED] ")


def test_bad_records_are_named_and_the_rest_is_read(read, write):
    body = citation("no number") + citation(2, title="") + citation(3)
    path = write("a.xml", f"{HEAD}{body}</PubmedArticleSet>")
    documents, skipped = read(pubmed.read, path)
    assert list(documents) == ["PMID:3"]
    assert [record.where for record in skipped.named] == [
        "a.xml: record 1",
        "a.xml: record 2 (PMID:2)",
    ]


def test_a_file_that_breaks_off_gives_what_stands_before(read, write):
    path = write("a.xml", f"{HEAD}{citation(1)}{citation(2)[:200]}")
    documents, skipped = read(pubmed.read, path)
    assert list(documents) == ["PMID:1"]
    assert skipped.named[0].where == "a.xml: after record 1"


def test_a_damaged_archive_gives_what_stands_before(read, write):
    path = write("a.xml.gz", f"{HEAD}{''.join(map(citation, range(1, 3000)))}</PubmedArticleSet>")
    path.write_bytes(path.read_bytes()[:-2000])
    documents, skipped = read(pubmed.read, path)
    assert 100 < len(documents) < 2999
    assert skipped.count == 1


def test_entities_are_refused_not_expanded(read, write):
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><PubmedArticleSet>&c;'
    external = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><PubmedArticleSet>&b;'
    for name, text in (("bomb.xml", bomb), ("external.xml", external)):
        documents, skipped = read(pubmed.read, write(name, text + citation(1)))
        assert documents == {}
        assert skipped.count == 1


def test_withdrawn_citations_are_removals(write):
    from medr_jax.retrieval.sources.base import Skipped

    body = f"{citation(1)}<DeleteCitation><PMID>5</PMID><PMID>6</PMID></DeleteCitation>"
    path = write("a.xml", f"{HEAD}{body}</PubmedArticleSet>")
    found = list(pubmed.read(path, Skipped()))
    assert found[1:] == [Removal(doc_id="PMID:5"), Removal(doc_id="PMID:6")]


def test_a_year_range_gives_its_first_year(read, write):
    dated = citation(1).replace(
        "<Year>2019</Year><Month>Mar</Month>", "<MedlineDate>1998 Dec-1999 Jan</MedlineDate>"
    )
    documents, _ = read(pubmed.read, write("a.xml", f"{HEAD}{dated}</PubmedArticleSet>"))
    assert documents["PMID:1"].date == "1998"


def test_the_real_record(read, shared_data):
    documents, skipped = read(pubmed.read, shared_data / "formats" / "pubmed-29768149.xml")
    found = documents["PMID:29768149"]
    assert skipped.count == 0
    assert found.title == "Inhaled Combined Budesonide-Formoterol as Needed in Mild Asthma"
    assert found.date == "2018-05-17"
    assert found.evidence == "randomised_trial"
    assert "DOI:10.1056/NEJMoa1715274" in found.identifiers
    assert found.segments[0].startswith("Background. In patients with mild asthma")
    assert any(
        segment.startswith("MeSH terms: Administration, Inhalation") for segment in found.segments
    )


def test_records_find_their_way_into_an_index(read, write, tmp_path):
    from medr_jax.retrieval.config import IndexConfig
    from medr_jax.retrieval.search import SearchEngine

    body = citation(1, title="Zebra fever", extra=RETRACTED_IN)
    documents, _ = read(pubmed.read, write("a.xml", f"{HEAD}{body}</PubmedArticleSet>"))
    build_index(documents.values(), tmp_path / "index", IndexConfig())
    engine = SearchEngine.open(tmp_path / "index")
    for query in ("zebra", "10.1000/abc", "doi: 10.1000/abc", "PMC7700001", "pmid:1"):
        assert [hit.title for hit in engine.search(query)] == ["[RETRACTED] Zebra fever"], query
