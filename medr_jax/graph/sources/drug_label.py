"""Reader of openFDA drug labels: ``{"results": [...]}``, single labels or JSONL.

Only the structured fields become edges. What a label says in prose (indications, warnings) is
no triple, and none is guessed from it; the first indication is kept as the label's definition.
"""

import datetime
from pathlib import Path
from typing import Any

from medr_jax.graph.sources.base import Collector, SourceRecords, require
from medr_jax.graph.sources.json_records import at, json_records, texts
from medr_jax.types import Kind, Relation

LICENCE = "openFDA CC0-1.0"
_CLASSES = ("pharm_class_epc", "pharm_class_moa")


def read_drug_label(path: Path) -> SourceRecords:
    """Labels with drug, maker, date of the version and application; drugs with their classes.

    Raises:
        ValueError: no such file, or a ``.json`` file that is not JSON.
    """
    found = Collector("openFDA labels", origin=path.name, licence=LICENCE)
    for file, number, label in json_records(path, found.records, "results"):
        try:
            _label(found, label)
        except ValueError as error:
            found.records.problem(file, number, error)
    return found.records


def _label(found: Collector, label: dict[str, Any]) -> None:
    set_id = require(at(label, "set_id") or at(label, "id"), "set_id")
    day = _day(require(at(label, "effective_time"), "effective_time"))
    known = at(label, "openfda")
    drugs = texts(at(known, "generic_name"))
    if not drugs:
        raise ValueError(f"label {set_id}: no openfda.generic_name")
    brand = (texts(at(known, "brand_name")) or drugs)[0]
    indications = (texts(at(label, "indications_and_usage")) or [""])[0]
    applications = texts(at(known, "application_number"))
    entity = found.entity(
        f"SPL:{set_id}",
        Kind.LABEL,
        f"label of {brand}, {day}",
        definition=" ".join(indications.split()),
        xrefs=tuple(sorted(f"FDA:{number}" for number in applications)),
    )
    cited = {"references": (f"SPL:{set_id}",)}
    for name in drugs:
        drug = found.named(Kind.DRUG, name.lower())
        found.edge(entity, Relation.DESCRIBES, drug, **cited)
        if len(drugs) == 1:  # of a combination the classes cannot be told apart
            for group in (one for field in _CLASSES for one in texts(at(known, field))):
                value = found.entity(f"CLASS:{group}", Kind.VALUE, group)
                found.edge(drug, Relation.IN_CLASS, value, **cited)
    for maker in texts(at(known, "manufacturer_name")):
        found.edge(entity, Relation.MADE_BY, found.named(Kind.ORGANIZATION, maker), **cited)
    found.edge(entity, Relation.DATED, found.date(day), date=day, **cited)


def _day(text: str) -> str:
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date().isoformat()
    except ValueError:
        raise ValueError(f"effective_time {text!r} is not YYYYMMDD") from None
