"""A graph's edges as triples that ``sources.triples`` reads back, filtered by licence."""

import collections
import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from medr_jax import jsonl
from medr_jax.graph import mondo_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.sources.triples import COLUMNS, COUNTS, TEXTS
from medr_jax.types import Edge, Entity

FORMATS = ("tsv", "jsonl")
LICENCES = "licences.json"


def licence_parts(licence: str) -> frozenset[str]:
    """ "HPO; Orphanet CC-BY-4.0" -> both."""
    return frozenset(part for part in licence.split("; ") if part)


def is_allowed(licence: str, allow: Collection[str]) -> bool:
    """Whether every licence of an edge is allowed; an edge without one is not."""
    parts = licence_parts(licence)
    return bool(parts) and parts <= set(allow)


def export_graph(
    graph: KnowledgeGraph, out: Path, *, format: str, license_allow: Collection[str] = ()
) -> dict[str, int]:
    """Writes ``edges.<format>`` and ``licences.json`` into ``out``; returns what was kept.

    With ``license_allow`` an edge is kept when all its licences are in it. A name that MONDO
    gave is then written only where MONDO's licence is allowed too, and definitions and synonyms
    only of entities all of whose edges are kept.

    Raises:
        ValueError: an unknown format, or a licence that no edge of the graph has.
    """
    if format not in FORMATS:
        raise ValueError(f"format={format!r}: choose one of {', '.join(FORMATS)}")
    unknown = sorted(set(license_allow) - set(graph.licences))
    if unknown:
        raise ValueError(
            f"license_allow={unknown}: the graph has only {', '.join(map(repr, graph.licences))}"
        )
    kept, left_out = collections.Counter(), collections.Counter()
    out.mkdir(parents=True, exist_ok=True)
    rows = _rows(graph, frozenset(license_allow or graph.licences), kept, left_out)
    if format == "jsonl":
        jsonl.write(out / "edges.jsonl", ({k: v for k, v in row.items() if v} for row in rows))
    else:
        _write_tsv(out / "edges.tsv", rows)
    told = {
        "snapshot": graph.snapshot,
        "content_hash": graph.content_hash,
        "license_allow": sorted(license_allow) or "all",
        "kept": dict(sorted(kept.items())),
        "left_out": dict(sorted(left_out.items())),
    }
    jsonl.write(out / LICENCES, [told])
    return {"edges": kept.total(), "left_out": left_out.total()}


def _rows(
    graph: KnowledgeGraph,
    allow: frozenset[str],
    kept: collections.Counter[str],
    left_out: collections.Counter[str],
) -> Iterator[dict[str, str]]:
    """One row per kept edge; what is said of an entity stands in its first row."""
    told: set[str] = set()
    everything = allow >= set(graph.licences)
    for source in graph.entity_ids():
        for edge in graph.edges_of(source):
            if not everything and not is_allowed(edge.licence, allow):
                left_out[edge.licence] += 1
                continue
            kept[edge.licence] += 1
            row = _edge(edge)
            for end, entity_id in (("source", edge.source), ("target", edge.target)):
                if entity_id not in told:
                    told.add(entity_id)
                    whole = everything or _all_kept(graph, entity_id, allow)
                    row |= _entity(end, graph.entity(entity_id), allow, whole=whole)
            yield row


def _edge(edge: Edge) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "")
    row |= {name: getattr(edge, name) for name in TEXTS}
    row |= {
        "source": edge.source,
        "relation": edge.relation.value,
        "target": edge.target,
        "polarity": edge.polarity.value,
        "references": "|".join(edge.references),
    }
    for name in COUNTS:
        number = getattr(edge, name)
        row[name] = "" if number is None else str(number)
    return row


def _entity(end: str, entity: Entity, allow: frozenset[str], *, whole: bool) -> dict[str, str]:
    from_mondo = entity.id.startswith("MONDO:")
    named = mondo_table.LICENCE in allow or not from_mondo
    row = {f"{end}_kind": entity.kind.value, f"{end}_name": entity.name if named else ""}
    if whole:
        row[f"{end}_definition"] = entity.definition
        row[f"{end}_synonyms"] = "|".join(entity.synonyms)
    return row


def _all_kept(graph: KnowledgeGraph, entity_id: str, allow: frozenset[str]) -> bool:
    return all(is_allowed(edge.licence, allow) for edge in graph.edges_of(entity_id))


def _write_tsv(path: Path, rows: Iterator[dict[str, str]]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(
            out, COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None,
            lineterminator="\n",
        )  # fmt: skip
        writer.writeheader()
        for row in rows:
            # A tab or line break would end the cell; names and definitions need neither.
            writer.writerow({name: " ".join(value.split()) for name, value in row.items()})
    partial.replace(path)
