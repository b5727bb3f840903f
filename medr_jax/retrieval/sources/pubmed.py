"""PubMed/MEDLINE citations: ``.xml``, or ``.xml.gz`` of the annual baseline and its updates.

Format: NLM's PubMedArticle DTD. An update file also names withdrawn citations.
"""

import xml.etree.ElementTree as etree
from collections.abc import Iterator
from pathlib import Path

from medr_jax.retrieval.authority import Evidence, base_authority, strongest
from medr_jax.retrieval.corpus import Document, list_segment, prose_segment
from medr_jax.retrieval.sources.base import Item, Removal, Skipped, distinct, iso_date
from medr_jax.retrieval.sources.xml_stream import records, text

SOURCE = "PubMed"
LICENCE = "NLM terms and conditions; abstracts may be under copyright"

_EVIDENCE = {
    "retracted publication": Evidence.RETRACTED,
    "systematic review": Evidence.SYSTEMATIC_REVIEW,
    "meta-analysis": Evidence.SYSTEMATIC_REVIEW,
    "practice guideline": Evidence.GUIDELINE,
    "guideline": Evidence.GUIDELINE,
    "consensus development conference": Evidence.GUIDELINE,
    "randomized controlled trial": Evidence.RANDOMISED_TRIAL,
    "controlled clinical trial": Evidence.CLINICAL_TRIAL,
    "pragmatic clinical trial": Evidence.CLINICAL_TRIAL,
    "clinical trial": Evidence.CLINICAL_TRIAL,
    "clinical trial, phase i": Evidence.CLINICAL_TRIAL,
    "clinical trial, phase ii": Evidence.CLINICAL_TRIAL,
    "clinical trial, phase iii": Evidence.CLINICAL_TRIAL,
    "clinical trial, phase iv": Evidence.CLINICAL_TRIAL,
    "observational study": Evidence.OBSERVATIONAL,
    "multicenter study": Evidence.OBSERVATIONAL,
    "comparative study": Evidence.OBSERVATIONAL,
    "review": Evidence.REVIEW,
    "case reports": Evidence.CASE_REPORT,
    "editorial": Evidence.OPINION,
    "letter": Evidence.OPINION,
    "comment": Evidence.OPINION,
    "news": Evidence.OPINION,
    "retraction of publication": Evidence.OPINION,
    "published erratum": Evidence.OPINION,
    "preprint": Evidence.PREPRINT,
    "journal article": Evidence.ARTICLE,
}
"""NLM publication types, lower case. A citation counts as the strongest of its types."""


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Citations in the order of the file; withdrawn ones as removals."""
    for where, element in records(path, {"PubmedArticle", "DeleteCitation"}, skipped):
        if element.tag == "DeleteCitation":
            for pmid in element.iter("PMID"):
                yield Removal(doc_id=f"PMID:{text(pmid)}")
            continue
        pmid = text(element.find("MedlineCitation/PMID"))
        if not (pmid.isascii() and pmid.isdecimal()):
            skipped.add(where, f"PMID {pmid!r} is no number")
            continue
        try:
            yield _document(pmid, element)
        except ValueError as error:
            skipped.add(f"{where} (PMID:{pmid})", error)


def _document(pmid: str, record: etree.Element) -> Document:
    article = record.find("MedlineCitation/Article")
    title = text(article.find("ArticleTitle")) if article is not None else ""
    if article is None or not title:
        raise ValueError("it has no title")
    evidence = _evidence(record)
    return Document(
        doc_id=f"PMID:{pmid}",
        kind="article",
        title=title.removesuffix(".").removeprefix("[").removesuffix("]"),
        segments=tuple(_segments(record, article)),
        identifiers=_identifiers(pmid, record),
        date=_date(article),
        source=SOURCE,
        licence=LICENCE,
        authority=base_authority(evidence),
        evidence=evidence.value,
        references=_references(record),
    )


def _segments(record: etree.Element, article: etree.Element) -> Iterator[str]:
    for part in article.findall("Abstract/AbstractText"):
        if said := text(part):
            yield prose_segment(part.get("Label", "").capitalize(), said)
    headings = "MedlineCitation/MeshHeadingList/MeshHeading/DescriptorName"
    for label, where in (
        ("MeSH terms", headings),
        ("Substances", "MedlineCitation/ChemicalList/Chemical/NameOfSubstance"),
        ("Keywords", "MedlineCitation/KeywordList/Keyword"),
        ("Publication types", "MedlineCitation/Article/PublicationTypeList/PublicationType"),
        ("Journal", "MedlineCitation/Article/Journal/Title"),
    ):
        if items := distinct([text(element) for element in record.findall(where)]):
            yield list_segment(label, items)


def _evidence(record: etree.Element) -> Evidence:
    retracted_in = record.findall(
        "MedlineCitation/CommentsCorrectionsList/CommentsCorrections[@RefType='RetractionIn']"
    )
    if retracted_in:
        return Evidence.RETRACTED
    types = record.findall("MedlineCitation/Article/PublicationTypeList/PublicationType")
    return strongest(_EVIDENCE.get(text(kind).lower(), Evidence.ARTICLE) for kind in types)


def _identifiers(pmid: str, record: etree.Element) -> tuple[str, ...]:
    found = [f"PMID:{pmid}"]
    for element in record.findall("PubmedData/ArticleIdList/ArticleId"):
        kind, value = element.get("IdType"), text(element)
        if kind == "doi":
            found.append(f"DOI:{value}")
        elif kind == "pmc":
            found.append(value)
    return distinct(found)


def _references(record: etree.Element) -> tuple[str, ...]:
    """What it comments on, corrects, registers or cites: PMIDs and trial numbers."""
    corrections = "MedlineCitation/CommentsCorrectionsList/CommentsCorrections/PMID"
    found = [f"PMID:{text(element)}" for element in record.findall(corrections)]
    banks = "MedlineCitation/Article/DataBankList/DataBank/AccessionNumberList/AccessionNumber"
    found += [text(element) for element in record.findall(banks)]
    for element in record.findall("PubmedData/ReferenceList//ArticleId[@IdType='pubmed']"):
        found.append(f"PMID:{text(element)}")
    return distinct(found)


def _date(article: etree.Element) -> str:
    """Of the electronic article, else of the issue; "1998 Dec-1999 Jan" gives its first year."""
    for where in ("ArticleDate", "Journal/JournalIssue/PubDate"):
        element = article.find(where)
        if element is None:
            continue
        year, month, day = (text(element.find(tag)) for tag in ("Year", "Month", "Day"))
        if date := iso_date(year or text(element.find("MedlineDate"))[:4], month, day):
            return date
    return ""
