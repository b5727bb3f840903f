"""PMC full text in JATS."""

from medr_jax.retrieval.sources import jats

ARTICLE = """<article article-type="{kind}" xmlns:xlink="http://www.w3.org/1999/xlink"><front>
<article-meta><article-id pub-id-type="pmc">{pmc}</article-id>
<article-id pub-id-type="pmid">22</article-id><title-group><article-title>Fever in
 <italic>zebras</italic><xref>*</xref></article-title></title-group>
<pub-date pub-type="ppub"><year>2012</year></pub-date>
<pub-date pub-type="epub"><day>4</day><month>2</month><year>2011</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"/></permissions>
{related}<abstract><p>In short.</p></abstract></article-meta></front>
<body><sec><title>Results</title>
<p>It was <xref>(1)</xref> hot.<table-wrap><p>9 9 9</p></table-wrap></p>
<sec><title>Stripes</title><p>Many.</p><fig><caption><p>Figure.</p></caption></fig></sec></sec></body>
<back><ref-list><ref><pub-id pub-id-type="pmid">7</pub-id></ref></ref-list></back></article>"""


def article(pmc="1", kind="research-article", related=""):
    return ARTICLE.format(pmc=pmc, kind=kind, related=related)


def test_an_article(read, write):
    documents, skipped = read(jats.read, write("a.nxml", article()))
    found = documents["PMC1"]
    assert skipped.count == 0
    assert found.title == "Fever in zebras"
    assert found.segments == (
        "Abstract. In short.",
        "Results. It was (1) hot.",
        "Stripes. Many.",
    )
    assert found.identifiers == ("PMC1", "PMID:22")
    assert found.date == "2011-02-04"
    assert found.licence.endswith("/by/4.0/")
    assert found.references == ("PMID:7",)
    assert found.evidence == "article"


def test_a_set_of_articles(read, write):
    body = article("PMC1") + article("") + article("3", kind="systematic-review")
    documents, skipped = read(jats.read, write("a.xml", f"<articles>{body}</articles>"))
    assert list(documents) == ["PMC1", "PMID:22", "PMC3"]
    assert documents["PMC3"].evidence == "systematic_review"
    assert skipped.count == 0


def test_retracted(read, write):
    forward = '<related-article related-article-type="retraction-forward"/>'
    documents, _ = read(jats.read, write("a.xml", article(related=forward)))
    assert documents["PMC1"].evidence == "retracted"


def test_an_article_without_an_id_is_named(read, write):
    text = "<articles><article><front><article-meta/></front></article></articles>"
    documents, skipped = read(jats.read, write("a.xml", text))
    assert documents == {}
    assert skipped.named[0].where == "a.xml: record 1"


def test_the_real_articles(read, shared_data):
    documents, skipped = read(jats.read, shared_data / "formats" / "pone.0000217.nxml")
    found = documents["PMC1790863"]
    assert skipped.count == 0
    assert found.title.startswith("Quantifying Organismal Complexity")
    assert found.date == "2007-02-14"
    assert len(found.segments) > 30
    assert len(found.references) > 20
    documents, skipped = read(jats.read, shared_data / "formats" / "pntd.0002065.nxml")
    assert (len(documents), skipped.count) == (1, 0)
