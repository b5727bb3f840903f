"""Full articles of PubMed Central in JATS (NISO Z39.96): one article a file, or a set of them."""

import re
import xml.etree.ElementTree as etree
from collections.abc import Iterator
from pathlib import Path

from medr_jax.retrieval.authority import Evidence, base_authority
from medr_jax.retrieval.corpus import Document, prose_segment
from medr_jax.retrieval.sources.base import Item, Skipped, distinct, iso_date
from medr_jax.retrieval.sources.xml_stream import records, text

SOURCE = "PMC"

# Formulas, tables and figures read as noise in a line of text.
_NO_PROSE = frozenset(
    (
        *("table-wrap", "fig", "fig-group", "disp-formula", "inline-formula", "graphic", "media"),
        *("supplementary-material", "tex-math", "label", "object-id"),
    )
)
_EVIDENCE = {
    "systematic-review": Evidence.SYSTEMATIC_REVIEW,
    "meta-analysis": Evidence.SYSTEMATIC_REVIEW,
    "guideline": Evidence.GUIDELINE,
    "clinical-trial": Evidence.CLINICAL_TRIAL,
    "review-article": Evidence.REVIEW,
    "case-report": Evidence.CASE_REPORT,
    "editorial": Evidence.OPINION,
    "letter": Evidence.OPINION,
    "article-commentary": Evidence.OPINION,
    "retraction": Evidence.OPINION,
    "correction": Evidence.OPINION,
    "preprint": Evidence.PREPRINT,
    "retracted-article": Evidence.RETRACTED,
}
"""Values of ``article-type``; all others count as an article."""

_RETRACTED_BY = frozenset({"retraction", "retraction-forward", "retracted"})
_DATES = ("epub", "pub", "ppub", "epub-ppub", "collection", "")


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Articles in the order of the file."""
    for where, article in records(path, {"article"}, skipped):
        meta = article.find("front/article-meta")
        identifiers = _identifiers(meta) if meta is not None else ()
        if not identifiers:
            skipped.add(where, "it has no PMC id, PMID or DOI")
            continue
        try:
            yield _document(article, meta, identifiers)
        except ValueError as error:
            skipped.add(f"{where} ({identifiers[0]})", error)


def _document(
    article: etree.Element, meta: etree.Element, identifiers: tuple[str, ...]
) -> Document:
    title = text(meta.find("title-group/article-title"), {"xref", "fn"})
    if not title:
        raise ValueError("it has no title")
    evidence = _evidence(article, meta, title)
    segments = [
        *(part for element in meta.findall("abstract") for part in _prose(element, "Abstract")),
        *(part for element in article.findall("body") for part in _prose(element, "")),
    ]
    return Document(
        doc_id=identifiers[0],
        kind="article",
        title=title,
        segments=tuple(segments),
        identifiers=identifiers,
        date=_date(meta),
        source=SOURCE,
        licence=_licence(meta),
        authority=base_authority(evidence),
        evidence=evidence.value,
        references=distinct(
            [f"PMID:{text(cited)}" for cited in article.findall(".//pub-id[@pub-id-type='pmid']")]
        ),
    )


def _identifiers(meta: etree.Element) -> tuple[str, ...]:
    """PMC id first, for it names the full text; then PMID and DOI."""
    found = {e.get("pub-id-type"): text(e) for e in meta.findall("article-id")}
    pmc = found.get("pmcid") or found.get("pmc") or ""
    names = [f"PMC{pmc.upper().removeprefix('PMC')}" if pmc else ""]
    names += [
        f"{name}:{found[key]}" for key, name in (("pmid", "PMID"), ("doi", "DOI")) if found.get(key)
    ]
    return distinct(names)


def _prose(element: etree.Element, heading: str) -> Iterator[str]:
    """Paragraphs, each led by the title of its section."""
    for child in element:
        if child.tag == "title":
            heading = text(child, _NO_PROSE) or heading
        elif child.tag == "p":
            if said := text(child, _NO_PROSE):
                yield prose_segment(heading, said)
        elif child.tag not in _NO_PROSE:
            yield from _prose(child, heading)


def _evidence(article: etree.Element, meta: etree.Element, title: str) -> Evidence:
    kinds = {e.get("related-article-type", "") for e in meta.findall("related-article")}
    if _RETRACTED_BY & kinds or re.match(r"\W*retracted\b", title, re.IGNORECASE):
        return Evidence.RETRACTED
    return _EVIDENCE.get(article.get("article-type", ""), Evidence.ARTICLE)


def _date(meta: etree.Element) -> str:
    """The earliest kind of publication that is stated: electronic, print, collection."""
    dates = {}
    for element in meta.findall("pub-date"):
        kind = element.get("pub-type") or element.get("date-type") or ""
        dates[kind] = iso_date(*(text(element.find(tag)) for tag in ("year", "month", "day")))
    return next((dates[kind] for kind in _DATES if dates.get(kind)), "")


def _licence(meta: etree.Element) -> str:
    """The licence's address if there is one, else the start of its text."""
    for element in meta.iter("license"):
        for name, value in element.attrib.items():
            if name.endswith("href"):
                return value
        return text(element)[:200]
    return (
        text(meta.find("permissions/copyright-statement"))[:200]
        or text(meta.find("copyright-statement"))[:200]
    )
