"""How a knowledge graph lies on disk, and the numbers it is described by."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from medr_jax import jsonl
from medr_jax.graph.adjacency import CONFLICT
from medr_jax.graph.columns import POLARITIES, RELATIONS, EdgeColumns
from medr_jax.types import Entity, Kind, Polarity

if TYPE_CHECKING:
    from medr_jax.graph.knowledge_graph import KnowledgeGraph

ENTITIES, EDGES, METADATA = "entities.jsonl", "edges.npz", "graph.json"
_DAMAGE = (
    KeyError, IndexError, ValueError, OSError, EOFError, AssertionError,
    zipfile.BadZipFile, zlib.error, NotImplementedError,
)  # fmt: skip


class Metadata(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``graph.json``: all that is neither an entity nor a number."""

    snapshot: str
    content_hash: str
    texts: dict[str, list[Any]]
    alternative_ids: dict[str, str]
    ambiguous_ids: dict[str, tuple[str, ...]]
    counts: dict[str, int]


def save(
    graph: "KnowledgeGraph", entities: Sequence[Entity], counts: Mapping[str, int], path: Path
) -> None:
    """Writes the three files into ``path``; equal graphs give equal bytes."""
    path.mkdir(parents=True, exist_ok=True)
    jsonl.write(path / ENTITIES, entities)
    packed = io.BytesIO()
    np.savez_compressed(packed, **graph.columns.arrays)
    (path / EDGES).write_bytes(packed.getvalue())
    metadata = Metadata(
        snapshot=graph.snapshot,
        content_hash=graph.content_hash,
        texts=graph.columns.texts,
        alternative_ids=graph.alternative_ids,
        ambiguous_ids=graph.ambiguous_ids,
        counts=dict(counts),
    )
    jsonl.write(path / METADATA, [metadata])


def load(kind: "type[KnowledgeGraph]", path: Path) -> "KnowledgeGraph":
    """Reads the three files and checks the content hash.

    Raises:
        ValueError: a file is missing, damaged or does not belong to the others.
    """
    metadata = jsonl.decode(_bytes(path / METADATA), Metadata, origin=str(path / METADATA))
    entities = list(jsonl.read(path / ENTITIES, Entity))
    remedy = "delete the folder and build the graph again"
    try:
        with np.load(io.BytesIO(_bytes(path / EDGES)), allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        texts = {**metadata.texts, "references": [tuple(r) for r in metadata.texts["references"]]}
        graph = kind(
            entities,
            EdgeColumns(arrays=arrays, texts=texts),
            snapshot=metadata.snapshot,
            alternative_ids=metadata.alternative_ids,
            ambiguous_ids=metadata.ambiguous_ids,
            counts=metadata.counts,
        )
        found = graph.content_hash
    except _DAMAGE as error:
        raise ValueError(f"{path}: damaged ({error!r}); {remedy}") from error
    if found != metadata.content_hash:
        raise ValueError(f"{path}: its content does not match its hash; {remedy}")
    return graph


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; build the graph again")
    return path.read_bytes()


def graph_counts(graph: "KnowledgeGraph") -> dict[str, int]:
    """Entities by kind, stated edges and distinct pairs by relation, exclusions, conflicts."""
    counts = {"entities": len(graph)}
    counts.update({kind.value: len(graph.entity_ids(kind)) for kind in Kind})
    counts["edges"] = len(graph.columns)
    relations = graph.columns.arrays["relation"]
    for code, relation in enumerate(RELATIONS):
        counts[f"edges_{relation.value}"] = int((relations == code).sum())
        counts[f"pairs_{relation.value}"] = int((graph.adjacency.relations == code).sum())
    excluded = POLARITIES.index(Polarity.EXCLUDED)
    polarities = graph.adjacency.polarities
    counts["excluded_edges"] = int((graph.columns.arrays["polarity"] == excluded).sum())
    counts["excluded_pairs"] = int((polarities == 1 << excluded).sum())
    counts["conflicting_pairs"] = int((polarities == CONFLICT).sum())
    counts["shared_names"] = sum(bool(graph.same_name(e)) for e in graph.entity_ids())
    return counts
