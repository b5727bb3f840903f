"""Reader of Orphanet's product 9 (epidemiology): prevalence of disorders, as XML.

Orphadata: free access data from Orphanet, © INSERM, CC-BY 4.0.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from medr_jax.graph.sources.base import Collector, SourceRecords, require
from medr_jax.graph.sources.xml import elements
from medr_jax.types import Kind, Relation

LICENCE = "Orphanet CC-BY-4.0"
CASES = "Cases/families"
_PMID = re.compile(r"(\d+)\[PMID\]")


def read_orphanet(path: Path) -> SourceRecords:
    """Disease -> prevalence band edges; the qualifier holds type and area.

    A count of reported cases or families is no band: it stands in ``frequency`` ("12
    families" as the file's number) of an edge to the band "Cases/families".

    Raises:
        ValueError: no such file, or not well-formed XML.
    """
    found = Collector("Orphanet", origin=path.name, licence=LICENCE)
    for number, (disorder, root) in enumerate(elements(path, "Disorder"), start=1):
        if number == 1 and (date := root.get("date", "")):
            found.records.snapshot = f"Orphanet {date[:10]}"
        try:
            code = require(disorder.findtext("OrphaCode"), "OrphaCode")
            name = require(disorder.findtext("Name"), f"Name of ORPHA:{code}")
        except ValueError as error:
            found.records.problem(path, number, error)
            continue
        disease = found.entity(f"ORPHA:{code}", Kind.DISEASE, name, xrefs=(f"ORPHA:{code}",))
        for problem in _prevalences(found, disease, disorder):
            found.records.problem(path, number, f"ORPHA:{code}: {problem}")
    return found.records


def _prevalences(found: Collector, disease: str, disorder: Element) -> Iterator[str]:
    """Adds the edges of one disorder; yields what is wrong with the others."""
    for stated in disorder.iterfind("PrevalenceList/Prevalence"):
        kind = (stated.findtext("PrevalenceType/Name") or "").strip()
        band = (stated.findtext("PrevalenceClass/Name") or "").strip()
        value = (stated.findtext("ValMoy") or "").strip()
        if kind == CASES:
            band = CASES
            if not _is_count(value):
                yield f"{CASES} with ValMoy {value!r}, which is no positive number"
                continue
        if not band:
            yield f"{kind or 'a prevalence'} without a PrevalenceClass"
            continue
        if band == "Unknown":
            continue  # Orphanet says that it is not known: no statement
        area = (stated.findtext("PrevalenceGeographic/Name") or "").strip()
        source = stated.findtext("Source") or ""
        found.edge(
            disease,
            Relation.HAS_PREVALENCE,
            found.entity(f"PREVALENCE:{band}", Kind.PREVALENCE, band),
            frequency=value if kind == CASES else band,
            qualifier="; ".join(filter(None, (kind, area))),
            evidence=(stated.findtext("PrevalenceValidationStatus/Name") or "").strip(),
            references=tuple(f"PMID:{pmid}" for pmid in _PMID.findall(source)),
        )


def _is_count(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
