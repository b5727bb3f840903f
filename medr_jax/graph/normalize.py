"""One disease, many names: merging of source identifiers through MONDO, and usable synonyms.

An identifier merges into a MONDO class only when the reference is one-to-one: the identifier
is on that class alone, and the class has no other identifier of the same vocabulary. What is
left is kept apart and said: several identifiers on one class become ``BROADER_THAN`` links
from the class, an identifier on several classes is listed as ambiguous.

What a source knows by its name alone (a trial's condition, a label's drug) becomes the only
entity of its kind that has this name; where there are several, it stays apart.
"""

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from medr_jax.graph import mondo_table
from medr_jax.graph.mondo_table import MondoTable
from medr_jax.graph.names import fold, keep_unambiguous
from medr_jax.graph.sources.base import SourceRecords, is_named_id
from medr_jax.types import Edge, Entity, Kind, Relation


@dataclasses.dataclass(kw_only=True, slots=True)
class CrossReferences:
    """What MONDO says about each source identifier of a disease."""

    merged: dict[str, str] = dataclasses.field(default_factory=dict)  # one-to-one: id -> class
    narrower: dict[str, str] = dataclasses.field(default_factory=dict)  # id -> broader class
    unlinked: dict[str, str] = dataclasses.field(default_factory=dict)  # as narrower, no entity
    ambiguous: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    unknown: list[str] = dataclasses.field(default_factory=list)  # not in MONDO


@dataclasses.dataclass(kw_only=True, slots=True)
class Normalized:
    """Merged records, ready for a ``KnowledgeGraph``."""

    entities: list[Entity]
    edges: list[Edge]  # ends may still be source ids: ``alternative_ids`` maps them
    alternative_ids: dict[str, str]  # source or obsolete id -> entity id
    ambiguous_ids: dict[str, tuple[str, ...]]
    counts: dict[str, int]


def normalize(sources: Sequence[SourceRecords], table: MondoTable) -> Normalized:
    """Merges the diseases of all sources and keeps only unambiguous EXACT synonyms."""
    titles: dict[str, list[str]] = collections.defaultdict(list)
    definitions: dict[str, str] = {}
    others: dict[str, Entity] = {}
    named: dict[str, Entity] = {}
    alternative_ids: dict[str, str] = {}
    for records in sources:
        for entity in records.entities:
            if is_named_id(entity.id):
                named[entity.id] = _joined(named.get(entity.id), entity)
            elif entity.kind is Kind.DISEASE:
                titles[entity.id] += [entity.name, *entity.synonyms]
                definitions.setdefault(entity.id, entity.definition)
            else:
                others[entity.id] = _joined(others.get(entity.id), entity)
        alternative_ids.update(records.alternative_ids)
    references = cross_references(titles, table)
    diseases = _diseases(titles, definitions, references, table)
    names = _resolve_names(named, [*others.values(), *diseases])
    others.update((one, entity) for one, entity in named.items() if one not in names)
    related = [pair for records in sources for pair in records.related_names]
    entities = keep_unambiguous([*others.values(), *diseases], related, table.ambiguous)
    edges = [edge for records in sources for edge in records.edges]
    links = [
        Edge(source=broader, relation=Relation.BROADER_THAN, target=narrower,
             origin=mondo_table.ORIGIN, licence=mondo_table.LICENCE)
        for narrower, broader in sorted(references.narrower.items())
    ]  # fmt: skip
    alternative_ids.update(references.merged)
    alternative_ids.update(names)
    counts = collections.Counter()
    for records in sources:
        counts.update(records.counts)
        if records.problems:
            counts["bad_rows"] += len(records.problems)
    if named:
        counts["names_resolved"] = len(names)
        counts["names_kept_apart"] = len(named) - len(names)
    return Normalized(
        entities=entities,
        edges=edges + links,
        alternative_ids=dict(sorted(alternative_ids.items())),
        ambiguous_ids=references.ambiguous,
        counts={**counts, **_reference_counts(titles, references)},
    )


def _resolve_names(named: Mapping[str, Entity], entities: Sequence[Entity]) -> dict[str, str]:
    """Identifiers made of a name -> the only entity of that kind with this name."""
    if not named:
        return {}
    owners: dict[tuple[Kind, str], set[str]] = collections.defaultdict(set)
    for entity in entities:
        for text in (entity.name, *entity.synonyms):
            owners[entity.kind, fold(text)].add(entity.id)
    found = {one: owners.get((entity.kind, fold(entity.name)), ()) for one, entity in named.items()}
    return {one: next(iter(owners)) for one, owners in found.items() if len(owners) == 1}


def cross_references(source_ids: Collection[str], table: MondoTable) -> CrossReferences:
    """Sorts source identifiers by how MONDO refers to them."""
    found = CrossReferences()
    many: dict[str, list[str]] = collections.defaultdict(list)
    for source_id in sorted(source_ids):
        if source_id in table.classes:
            continue  # the source already speaks MONDO
        classes = table.by_xref.get(source_id, [])
        if not classes:
            found.unknown.append(source_id)
        elif len(classes) > 1:
            found.ambiguous[source_id] = tuple(classes)
        elif _vocabulary_count(table.classes[classes[0]].xrefs, source_id) == 1:
            found.merged[source_id] = classes[0]
        else:
            many[classes[0]].append(source_id)
    standing = {*found.merged.values(), *(one for one in source_ids if one in table.classes)}
    for mondo_id, members in sorted(many.items()):
        # A class that nothing merged into becomes an entity only to hold several together.
        linked = mondo_id in standing or len(members) > 1
        (found.narrower if linked else found.unlinked).update(dict.fromkeys(members, mondo_id))
    return found


def _vocabulary_count(xrefs: Iterable[str], source_id: str) -> int:
    prefix = source_id.partition(":")[0] + ":"
    return sum(xref.startswith(prefix) for xref in xrefs)


def _joined(first: Entity | None, second: Entity) -> Entity:
    """Two sources' records of one identifier: the first source's name and definition win."""
    if first is None:
        return second
    return msgspec.structs.replace(
        first,
        synonyms=(*first.synonyms, second.name, *second.synonyms),
        definition=first.definition or second.definition,
        xrefs=tuple(sorted({*first.xrefs, *second.xrefs})),
    )


def _diseases(
    titles: Mapping[str, list[str]],
    definitions: Mapping[str, str],
    references: CrossReferences,
    table: MondoTable,
) -> list[Entity]:
    members: dict[str, list[str]] = collections.defaultdict(list)
    for source_id in sorted(titles):
        members[references.merged.get(source_id, source_id)].append(source_id)
    for mondo_id in references.narrower.values():
        members.setdefault(mondo_id, [])
    diseases = []
    for entity_id, source_ids in members.items():
        names = [name for source_id in source_ids for name in titles[source_id]]
        if entity_id in table.classes:
            names.insert(0, table.classes[entity_id].label)
        names = [name.rstrip(" ;") for name in names]  # left-overs of OMIM's "title; symbol"
        classes = references.ambiguous.get(entity_id, ())
        for several in (references.narrower, references.unlinked):
            if entity_id in several:
                classes = (several[entity_id],)
        xrefs = sorted({*source_ids, *classes} - {entity_id})
        diseases.append(
            Entity(
                id=entity_id,
                kind=Kind.DISEASE,
                name=names[0],
                synonyms=tuple(names[1:]),
                definition=next(filter(None, map(definitions.get, source_ids)), ""),
                xrefs=tuple(xrefs),
            )
        )
    return diseases


def _reference_counts(
    titles: Mapping[str, list[str]], references: CrossReferences
) -> dict[str, int]:
    return {
        "source_diseases": len(titles),
        "merged_ids": len(references.merged) - len(set(references.merged.values())),
        "ids_on_one_class": len(references.merged),
        "narrower_ids": len(references.narrower),
        "unlinked_ids": len(references.unlinked),
        "ambiguous_ids": len(references.ambiguous),
        "ids_unknown_to_mondo": len(references.unknown),
    }
