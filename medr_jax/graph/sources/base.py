"""What every source reader returns."""

import dataclasses

from medr_jax.types import Edge, Entity


@dataclasses.dataclass(kw_only=True, slots=True)
class SourceRecords:
    """Entities and stated edges of one source, in the source's own identifiers.

    ``Entity.synonyms`` holds the source's EXACT synonyms, ambiguous ones included:
    ``normalize`` is what drops those. ``related_names`` are strings that the source attaches
    to an entity more loosely; they are never used as a name, only to see what is ambiguous.
    """

    snapshot: str  # "HPO 2025-01-16"
    entities: list[Entity]
    edges: list[Edge]
    related_names: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    alternative_ids: dict[str, str] = dataclasses.field(default_factory=dict)  # old -> live
    counts: dict[str, int] = dataclasses.field(default_factory=dict)  # rows left out, and why
