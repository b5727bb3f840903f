"""Reader of PubMed's XML (efetch or baseline, ``.xml`` or ``.xml.gz``): metadata as edges.

No abstract becomes part of the graph: what a paper says is for the corpus.
"""

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from medr_jax.graph.sources.base import Collector, SourceRecords, files_in, iso_date, require
from medr_jax.graph.sources.xml import elements
from medr_jax.types import Kind, Relation

LICENCE = "NLM: courtesy of the US National Library of Medicine"
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_YEAR = re.compile(r"\d{4}")
_NCT = re.compile(r"NCT\d{8}")


def read_pubmed(path: Path) -> SourceRecords:
    """Publications with journal, date, first author, index terms, trials and retractions.

    Raises:
        ValueError: no such file, or not well-formed XML.
    """
    found = Collector("PubMed", origin=path.name, licence=LICENCE)
    for file in files_in(path, (".xml", ".xml.gz")):
        for number, (article, _) in enumerate(elements(file, "PubmedArticle"), start=1):
            try:
                _article(found, article)
            except ValueError as error:
                found.records.problem(file, number, error)
    return found.records


def _article(found: Collector, article: Element) -> None:
    citation = article.find("MedlineCitation")
    if citation is None:
        raise ValueError("no MedlineCitation")
    pmid = require(citation.findtext("PMID"), "PMID")
    title = require(_text(citation.find("Article/ArticleTitle")), f"title of PMID {pmid}")
    day = _date(citation.find("Article/Journal/JournalIssue/PubDate"), pmid)
    doi = [
        f"DOI:{_text(one)}"
        for one in article.iterfind("PubmedData/ArticleIdList/ArticleId")
        if one.get("IdType") == "doi"
    ]
    paper = found.entity(f"PMID:{pmid}", Kind.PUBLICATION, title, xrefs=(f"PMID:{pmid}", *doi[:1]))
    cited = {"references": (paper,)}
    found.edge(paper, Relation.PUBLISHED_ON, found.date(day), date=day, **cited)
    journal = _text(citation.find("Article/Journal/Title"))
    if journal:
        found.edge(
            paper, Relation.PUBLISHED_IN, found.named(Kind.JOURNAL, journal), date=day, **cited
        )
    author = citation.find("Article/AuthorList/Author")
    if author is not None and (name := _author(author)):
        found.edge(paper, Relation.FIRST_AUTHOR, found.named(Kind.PERSON, name), **cited)
    for heading in citation.iterfind("MeshHeadingList/MeshHeading"):
        name = heading.find("DescriptorName")
        if name is None:
            continue
        term = found.entity(f"MESH:{name.get('UI')}", Kind.CONCEPT, _text(name))
        # A heading is a major topic where it or one of its qualifiers is marked as one.
        major = any(part.get("MajorTopicYN") == "Y" for part in heading)
        found.edge(paper, Relation.ABOUT, term, qualifier="major topic" if major else "", **cited)
    for number in citation.iterfind(".//DataBank/AccessionNumberList/AccessionNumber"):
        trial = _text(number)
        if _NCT.fullmatch(trial):
            found.edge(
                paper, Relation.REPORTS_TRIAL, found.entity(trial, Kind.TRIAL, trial), **cited
            )
    for linked in citation.iterfind("CommentsCorrectionsList/CommentsCorrections"):
        other = linked.findtext("PMID")
        if linked.get("RefType") == "RetractionIn" and other:
            notice = found.entity(f"PMID:{other}", Kind.PUBLICATION, f"PMID {other}")
            found.edge(paper, Relation.RETRACTED_BY, notice, **cited)


def _text(element: Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _author(author: Element) -> str:
    collective = author.findtext("CollectiveName")
    if collective:
        return " ".join(collective.split())
    names = (author.findtext("ForeName"), author.findtext("LastName"))
    return " ".join(" ".join(name.split()) for name in names if name)


def _date(given: Element | None, pmid: str) -> str:
    """Year, month and day as far as they are given; a season or a range gives its year."""
    if given is None:
        raise ValueError(f"PMID {pmid}: no PubDate")
    year = given.findtext("Year") or (_YEAR.findall(given.findtext("MedlineDate") or "") or [""])[0]
    parts = [year]
    month = (given.findtext("Month") or "").strip()
    if month[:3].title() in _MONTHS:
        number = _MONTHS.index(month[:3].title()) + 1
    else:
        number = int(month) if month.isdecimal() else 0
    if number:
        parts.append(f"{number:02d}")
        if (day := (given.findtext("Day") or "").strip()).isdecimal():
            parts.append(f"{int(day):02d}")
    return iso_date("-".join(parts), f"PMID {pmid}: PubDate")
