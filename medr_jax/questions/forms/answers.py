"""What counts as the answer of an entity: a name, a number, a day, in all its spellings."""

import datetime

from medr_jax.retrieval.corpus import number
from medr_jax.types import Entity, Kind

_NUMBERED = (Kind.TRIAL, Kind.PUBLICATION, Kind.PRODUCT)


def said(entity: Entity) -> str:
    """How a question or an answer calls it: trials, articles and products by their number."""
    return number(entity.id) if entity.kind in _NUMBERED else entity.name


def spellings(entity: Entity) -> tuple[str, ...]:
    """``said`` first, then everything else that is right."""
    found = [said(entity), entity.name, *entity.synonyms]
    if entity.kind in (*_NUMBERED, Kind.PATENT):
        found += [entity.id, entity.id.rpartition(":")[2]]
    elif entity.kind is Kind.DATE:
        found += _days(entity.name)
    elif entity.kind is Kind.VALUE and entity.name.startswith("PHASE"):
        found.append(f"Phase {entity.name.removeprefix('PHASE')}")
    return tuple(dict.fromkeys(found))


def _days(iso: str) -> list[str]:
    """ "2026-08-24" -> "24 August 2026", "August 24, 2026", ...; "2026-08" -> "August 2026"."""
    parts = iso.split("-")
    if len(parts) == 1:
        return []
    day = datetime.date.fromisoformat(f"{iso}-01" if len(parts) == 2 else iso)
    if len(parts) == 2:
        return [f"{day:%B %Y}", f"{day:%b %Y}"]
    american = f"{day.day}, {day.year}"
    return [f"{day.day} {day:%B %Y}", f"{day:%B} {american}", f"{day:%b} {american}"]
