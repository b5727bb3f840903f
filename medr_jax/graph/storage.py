"""How a knowledge graph lies on disk, and the numbers it is described by.

The numbers are plain ``.npy`` files that are mapped, not read, so a graph of millions of edges
opens in the time that checking its files takes, and only what is looked at is in memory.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from medr_jax import jsonl
from medr_jax.graph.adjacency import CONFLICT, Adjacency
from medr_jax.graph.columns import POLARITIES, RELATIONS, EdgeColumns
from medr_jax.graph.entities import EntityTable
from medr_jax.types import Kind, Polarity, Relation

if TYPE_CHECKING:
    from medr_jax.graph.knowledge_graph import KnowledgeGraph

ENTITIES, IDS, METADATA = "entities.jsonl", "ids.json", "graph.json"
_COLUMN, _ADJACENCY, _ENTITY = "edge", "adjacency", "entity"
_ADJACENCY_FIELDS = (
    *("present", "sources", "relations", "targets", "polarities", "edge_starts"),
    *("forward", "backward", "backward_order"),
)
_DAMAGE = (KeyError, IndexError, TypeError, ValueError, OSError, EOFError, AssertionError)
_WORTH_MAPPING = 1 << 16  # bytes
_ALWAYS = frozenset(
    {Kind.DISEASE, Kind.PHENOTYPE, Kind.GENE, Kind.INHERITANCE, Kind.ONSET, Kind.COURSE}
)
"""Kinds whose count is told even where it is zero."""


class Metadata(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``graph.json``: all that is neither an entity nor a number, and what the files must be."""

    snapshot: str
    content_hash: str
    texts: dict[str, list[Any]]
    alternative_ids: dict[str, str]
    ambiguous_ids: dict[str, tuple[str, ...]]
    counts: dict[str, int]
    constants: dict[str, tuple[int, int]]  # columns of one value: (value, length)
    same: dict[str, str]  # arrays that are another one
    files: dict[str, str]  # file -> sha256
    checksum: str = ""  # of this record without it

    def digest(self) -> str:
        """sha256 over everything but the checksum."""
        return hashlib.sha256(jsonl.encode(msgspec.structs.replace(self, checksum=""))).hexdigest()


def save(
    graph: "KnowledgeGraph", entities: EntityTable, counts: Mapping[str, int], path: Path
) -> None:
    """Writes the files into ``path``; equal graphs give equal bytes."""
    path.mkdir(parents=True, exist_ok=True)
    lines = [jsonl.encode(entity) + b"\n" for entity in entities]
    contents = {ENTITIES: b"".join(lines), IDS: jsonl.encode(entities.ids)}
    starts = np.cumsum([0, *map(len, lines)], dtype=np.int64)
    arrays = {f"{_ENTITY}.kinds": entities.kinds, f"{_ENTITY}.starts": starts}
    arrays |= {f"{_COLUMN}.{name}": column for name, column in graph.columns.arrays.items()}
    arrays |= {f"{_ADJACENCY}.{name}": getattr(graph.adjacency, name) for name in _ADJACENCY_FIELDS}
    constants, same, first = {}, {}, {}
    for name, array in arrays.items():
        if len(array) > 1 and array.strides == (0,):
            constants[name] = (int(array[0]), len(array))
        elif id(array) in first:
            same[name] = first[id(array)]
        else:
            first[id(array)] = name
            packed = io.BytesIO()
            np.save(packed, array, allow_pickle=False)
            contents[f"{name}.npy"] = packed.getvalue()
    for name, content in contents.items():
        (path / name).write_bytes(content)
    metadata = Metadata(
        snapshot=graph.snapshot,
        content_hash=graph.content_hash,
        texts=graph.columns.texts,
        alternative_ids=graph.alternative_ids,
        ambiguous_ids=graph.ambiguous_ids,
        counts=dict(counts),
        constants=constants,
        same=same,
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    metadata.checksum = metadata.digest()
    jsonl.write(path / METADATA, [metadata])


def load(kind: "type[KnowledgeGraph]", path: Path) -> "KnowledgeGraph":
    """Opens the files and checks that they are those that were written.

    Raises:
        ValueError: a file is missing, damaged or does not belong to the others.
    """
    remedy = "delete the folder and build the graph again"
    if not (path / METADATA).is_file():
        raise ValueError(f"{path / METADATA}: no such file; build the graph again")
    metadata = jsonl.decode((path / METADATA).read_bytes(), Metadata, origin=str(path / METADATA))
    if metadata.checksum != metadata.digest():
        raise ValueError(f"{path / METADATA}: its content does not match its hash; {remedy}")
    for name, expected in metadata.files.items():
        if not (path / name).is_file():
            raise ValueError(f"{path / name}: no such file; build the graph again")
        if _sha256(path / name) != expected:
            raise ValueError(f"{path / name}: its content does not match its hash; {remedy}")
    try:
        return _opened(kind, path, metadata)
    except _DAMAGE as error:
        raise ValueError(f"{path}: damaged ({error!r}); {remedy}") from error


def _opened(kind: "type[KnowledgeGraph]", path: Path, metadata: Metadata) -> "KnowledgeGraph":
    arrays = {
        name.removesuffix(".npy"): _mapped(path / name)
        for name in metadata.files
        if name.endswith(".npy")
    }
    for name, (value, length) in metadata.constants.items():
        arrays[name] = np.broadcast_to(np.min_scalar_type(value).type(value), length)
    arrays |= {name: arrays[other] for name, other in metadata.same.items()}
    groups: dict[str, dict[str, np.ndarray]] = {_COLUMN: {}, _ADJACENCY: {}, _ENTITY: {}}
    for name, array in arrays.items():
        group, _, field = name.partition(".")
        groups[group][field] = array
    texts = {**metadata.texts, "references": [tuple(r) for r in metadata.texts["references"]]}
    table = EntityTable(
        msgspec.json.decode((path / IDS).read_bytes(), type=list[str]),
        groups[_ENTITY]["kinds"],
        lines=_bytes(path / ENTITIES),
        starts=groups[_ENTITY]["starts"],
    )
    return kind(
        table,
        EdgeColumns(arrays=groups[_COLUMN], texts=texts),
        adjacency=Adjacency(**groups[_ADJACENCY]),
        content_hash=metadata.content_hash,
        snapshot=metadata.snapshot,
        alternative_ids=metadata.alternative_ids,
        ambiguous_ids=metadata.ambiguous_ids,
        counts=metadata.counts,
    )


def _mapped(path: Path) -> np.ndarray:
    if path.stat().st_size < _WORTH_MAPPING:
        return np.load(path, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


def _bytes(path: Path) -> np.ndarray:
    if path.stat().st_size < _WORTH_MAPPING:
        return np.fromfile(path, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def graph_counts(graph: "KnowledgeGraph") -> dict[str, int]:
    """Entities by kind, stated edges and distinct pairs by relation, exclusions, conflicts.

    Kinds and relations that only other sources have are left out where there are none.
    """
    counts = {"entities": len(graph)}
    for kind in Kind:
        number = len(graph.entity_ids(kind))
        if number or kind in _ALWAYS:
            counts[kind.value] = number
    counts["edges"] = len(graph.columns)
    relations = graph.columns.arrays["relation"]
    stated = np.bincount(relations, minlength=len(RELATIONS))
    pairs = np.bincount(graph.adjacency.relations, minlength=len(RELATIONS))
    for code, relation in enumerate(RELATIONS):
        if stated[code] or code <= RELATIONS.index(Relation.BROADER_THAN):
            counts[f"edges_{relation.value}"] = int(stated[code])
            counts[f"pairs_{relation.value}"] = int(pairs[code])
    excluded = POLARITIES.index(Polarity.EXCLUDED)
    polarities = graph.adjacency.polarities
    counts["excluded_edges"] = int((graph.columns.arrays["polarity"] == excluded).sum())
    counts["excluded_pairs"] = int((polarities == 1 << excluded).sum())
    counts["conflicting_pairs"] = int((polarities == CONFLICT).sum())
    counts["shared_names"] = sum(bool(graph.same_name(e)) for e in graph.entity_ids())
    return counts
