"""Reader of ClinicalTrials.gov API v2 studies: ``{"studies": [...]}``, single studies or JSONL."""

import re
from pathlib import Path
from typing import Any

from medr_jax.graph.sources.base import Collector, SourceRecords, iso_date, require
from medr_jax.graph.sources.json_records import at, json_records, texts
from medr_jax.types import Kind, Relation

LICENCE = "US public domain"
_NCT = re.compile(r"NCT\d{8}")
_DRUGS = frozenset({"DRUG", "BIOLOGICAL", "COMBINATION_PRODUCT"})
_DATES = (
    ("startDateStruct", Relation.STARTED_ON),
    ("completionDateStruct", Relation.COMPLETED_ON),
)


def read_clinical_trials(path: Path) -> SourceRecords:
    """Trials with their conditions, drugs, lead sponsor, phase, status and dates.

    A date that is only planned has the qualifier "ESTIMATED". A placebo is no drug.

    Raises:
        ValueError: no such file, or a ``.json`` file that is not JSON.
    """
    found = Collector("ClinicalTrials.gov", origin=path.name, licence=LICENCE)
    for file, number, study in json_records(path, found.records, "studies"):
        try:
            _study(found, study)
        except ValueError as error:
            found.records.problem(file, number, error)
    return found.records


def _study(found: Collector, study: dict[str, Any]) -> None:
    """Adds one study: nothing of it when a part is unreadable."""
    protocol = at(study, "protocolSection")
    nct = require(at(protocol, "identificationModule", "nctId"), "nctId")
    if not _NCT.fullmatch(nct):
        raise ValueError(f"nctId {nct!r} is not NCT and eight digits")
    dates = [
        (relation, iso_date(given["date"], field), given.get("type", ""))
        for field, relation in _DATES
        if isinstance(given := at(protocol, "statusModule", field), dict) and given.get("date")
    ]
    title = require(at(protocol, "identificationModule", "briefTitle") or nct, "briefTitle")
    summary = at(protocol, "descriptionModule", "briefSummary") or ""
    trial = found.entity(
        nct, Kind.TRIAL, title, definition=" ".join(str(summary).split()), xrefs=(nct,)
    )
    cited = {"references": (nct,)}
    for condition in texts(at(protocol, "conditionsModule", "conditions")):
        found.edge(trial, Relation.STUDIES, found.named(Kind.DISEASE, condition), **cited)
    for given in at(protocol, "armsInterventionsModule", "interventions") or []:
        name = str(at(given, "name") or "").strip()
        if at(given, "type") in _DRUGS and name and "placebo" not in name.casefold():
            found.edge(trial, Relation.TESTS, found.named(Kind.DRUG, name), **cited)
    sponsor = at(protocol, "sponsorCollaboratorsModule", "leadSponsor", "name")
    if sponsor:
        found.edge(trial, Relation.SPONSORED_BY, found.named(Kind.ORGANIZATION, sponsor), **cited)
    for relation, day, certainty in dates:
        found.edge(
            trial, relation, found.date(day), date=day, **cited,
            qualifier=certainty if certainty == "ESTIMATED" else "",
        )  # fmt: skip
    status = at(protocol, "statusModule", "overallStatus")
    closed = [(Relation.HAS_STATUS, [status] if status else [])]
    closed.append((Relation.HAS_PHASE, texts(at(protocol, "designModule", "phases"))))
    for relation, values in closed:
        for value in values:
            found.edge(trial, relation, found.entity(f"CT:{value}", Kind.VALUE, value), **cited)
