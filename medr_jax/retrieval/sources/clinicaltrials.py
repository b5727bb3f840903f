"""Studies of ClinicalTrials.gov, JSON of its API v2: pages, a list of studies, or one study."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medr_jax.retrieval.authority import Evidence, base_authority
from medr_jax.retrieval.corpus import Document, list_segment, prose_segment
from medr_jax.retrieval.sources.base import Item, Skipped, distinct, one_line
from medr_jax.retrieval.sources.json_stream import elements

SOURCE = "ClinicalTrials.gov"
LICENCE = "ClinicalTrials.gov terms and conditions"


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Studies in the order of the file."""
    for where, study in elements(path, "studies", skipped):
        try:
            yield _document(study["protocolSection"], has_results=bool(study.get("hasResults")))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            skipped.add(where, f"not a study of API v2: {type(error).__name__} {error}")


def _document(protocol: dict[str, Any], *, has_results: bool) -> Document:
    names = protocol["identificationModule"]
    status = protocol.get("statusModule", {})
    nct_id = names["nctId"]
    if not (nct_id.startswith("NCT") and nct_id[3:].isdecimal()):
        raise ValueError(f"nctId {nct_id!r}")
    evidence = _evidence(protocol.get("designModule", {}), has_results)
    updated = status.get("lastUpdatePostDateStruct", {}).get("date", "")
    return Document(
        doc_id=nct_id,
        kind="trial",
        title=one_line(names.get("briefTitle") or names.get("officialTitle") or nct_id),
        synonyms=distinct([one_line(names.get(key)) for key in ("officialTitle", "acronym")]),
        segments=tuple(_segments(protocol, has_results)),
        identifiers=distinct(
            [nct_id, *(one_line(other.get("id")) for other in names.get("secondaryIdInfos", []))]
        ),
        date=updated or status.get("startDateStruct", {}).get("date", ""),
        source=SOURCE,
        licence=LICENCE,
        authority=base_authority(evidence),
        evidence=evidence.value,
        references=distinct(
            [
                f"PMID:{cited['pmid']}"
                for cited in protocol.get("referencesModule", {}).get("references", [])
                if cited.get("pmid")
            ]
        ),
    )


def _evidence(design: dict[str, Any], has_results: bool) -> Evidence:
    """What a registration promises is a protocol; results count by the design."""
    if not has_results:
        return Evidence.TRIAL_PROTOCOL
    if design.get("studyType") != "INTERVENTIONAL":
        return Evidence.OBSERVATIONAL
    randomised = design.get("designInfo", {}).get("allocation") == "RANDOMIZED"
    return Evidence.RANDOMISED_TRIAL if randomised else Evidence.CLINICAL_TRIAL


def _segments(protocol: dict[str, Any], has_results: bool) -> Iterator[str]:
    described = protocol.get("descriptionModule", {})
    if summary := one_line(described.get("briefSummary")):
        yield prose_segment("Summary", summary)
    for label, items in _lists(protocol, has_results):
        if kept := distinct([one_line(str(item)) for item in items if item]):
            yield list_segment(label, kept)
    eligibility = protocol.get("eligibilityModule", {})
    for label, said in (
        ("Eligibility", eligibility.get("eligibilityCriteria")),
        ("Description", described.get("detailedDescription")),
    ):
        if said := one_line(said):
            yield prose_segment(label, said)


def _lists(protocol: dict[str, Any], has_results: bool) -> Iterator[tuple[str, list[Any]]]:
    design = protocol.get("designModule", {})
    status = protocol.get("statusModule", {})
    arms = protocol.get("armsInterventionsModule", {}).get("interventions", [])
    outcomes = protocol.get("outcomesModule", {})
    conditions = protocol.get("conditionsModule", {})
    sponsor = protocol.get("sponsorCollaboratorsModule", {}).get("leadSponsor", {})
    enrolled = design.get("enrollmentInfo", {}).get("count")
    yield "Conditions", conditions.get("conditions", [])
    yield "Keywords", conditions.get("keywords", [])
    yield "Interventions", [f"{a.get('type', '').title()} {a.get('name', '')}" for a in arms]
    yield "Also called", [name for arm in arms for name in arm.get("otherNames", [])]
    yield "Status", [status.get("overallStatus"), "has results" if has_results else "no results"]
    yield "Phase", design.get("phases", [])
    yield "Study type", [design.get("studyType"), design.get("designInfo", {}).get("allocation")]
    yield "Enrolled", [enrolled]
    yield "Start", [status.get("startDateStruct", {}).get("date")]
    yield "Primary outcomes", [o.get("measure") for o in outcomes.get("primaryOutcomes", [])]
    yield "Secondary outcomes", [o.get("measure") for o in outcomes.get("secondaryOutcomes", [])]
    yield "Sponsor", [sponsor.get("name")]
