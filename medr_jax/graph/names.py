"""Comparing names, and which synonyms may stand for an entity."""

import collections
from collections.abc import Iterable, Sequence

import msgspec

from medr_jax.types import Entity


def fold(text: str) -> str:
    """Case-folded, with single spaces: how names are compared everywhere."""
    return " ".join(text.casefold().split())


def keep_unambiguous(
    entities: Sequence[Entity],
    related_names: Iterable[tuple[str, str]],
    ambiguous: frozenset[str],
) -> list[Entity]:
    """Entities, sorted by id, with only those synonyms that name no other entity in any way.

    ``related_names`` (broad, narrow, related, abbreviations) and ``ambiguous`` (case-folded)
    disqualify a string without ever being offered themselves.
    """
    owners: dict[str, set[str]] = collections.defaultdict(set)
    for entity in entities:
        for text in (entity.name, *entity.synonyms):
            owners[fold(text)].add(entity.id)
    for entity_id, text in related_names:
        owners[fold(text)].add(entity_id)
    kept = []
    for entity in sorted(entities, key=lambda entity: entity.id):
        seen, synonyms = {fold(entity.name)}, []
        for text in entity.synonyms:
            folded = fold(text)
            if not folded or folded in seen:
                continue
            seen.add(folded)
            if folded not in ambiguous and len(owners[folded]) == 1:
                synonyms.append(" ".join(text.split()))
        kept.append(msgspec.structs.replace(entity, synonyms=tuple(synonyms)))
    return kept
