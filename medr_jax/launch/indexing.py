"""What goes into an index: the graph's documents, files, an older index; and who is told."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from medr_jax import console, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval import corpus, live
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.dense import Embedder
from medr_jax.retrieval.index import SUMMARY, Summary, build_index
from medr_jax.retrieval.sources import stream
from medr_jax.retrieval.sources.base import Item, Skipped

SKIPPED = "skipped.jsonl"
"""The records that were left out, by name and reason, beside the index."""

_MAX_SHOWN = 3


def settings(config: IndexConfig) -> dict[str, Any]:
    """The part of the config that decides what is built; where files lie is not of it."""
    return {
        "index": config.ranking(),
        "graph": config.graph,
        "delete": sorted(config.delete),
        "encoder": config.encoder,
    }


def inputs(config: IndexConfig, graph_artifact: Artifact | None) -> dict[str, str]:
    """Content hashes of all that is read."""
    found = {"graph": graph_artifact.content_hash} if graph_artifact and config.graph else {}
    if config.base:
        summary = Path(config.base) / SUMMARY
        (base,) = jsonl.read(summary, Summary)
        found["base"] = base.content_hash
    if config.encoder:
        found["encoder"] = encoder(config.encoder).name
    return found | stream.fingerprints(config.sources)


def encoder(path: str) -> Embedder:
    """The sentence encoder of a folder, or of the package for "minilm"; loads JAX."""
    from medr_jax.models.encoder import load_encoder

    return load_encoder(path)


def build(config: IndexConfig, graph_artifact: Artifact | None, path: Path) -> Outcome:
    """Builds, or goes on with, the index in ``path``; says which records were left out."""
    skipped = Skipped()
    only_graph = not (config.sources or config.base)
    documents = stream.first_of_each(_items(config, graph_artifact, skipped), skipped)
    stats = build_index(
        documents,
        path,
        config,
        resume=True,
        order_free=not only_graph,
        embed=encoder(config.encoder) if config.encoder else None,
    )
    counts: dict[str, Any] = dict(stats.counts)
    if not only_graph:
        jsonl.write(path / SKIPPED, skipped.named)
        counts |= {"skipped": skipped.count, "superseded": skipped.superseded}
    for record in skipped.named[:_MAX_SHOWN]:
        console.say(f"  skipped {record.where}: {record.reason}")
    if skipped.count > _MAX_SHOWN:
        console.say(f"  ... {skipped.count:,} records skipped; see {path / SKIPPED}")
    return Outcome(content_hash=stats.content_hash, counts=counts)


def publish(config: IndexConfig, artifact: Artifact) -> None:
    """Points ``index.publish``, where given, at the finished index."""
    if config.publish:
        live.publish(config.publish, artifact.path)
        console.say(f"  published in {config.publish}")


def _items(
    config: IndexConfig, graph_artifact: Artifact | None, skipped: Skipped
) -> Iterator[Item]:
    """The graph's documents come first, so no file can replace one."""
    given = stream.items(config.sources, skipped)
    if config.graph:
        assert graph_artifact is not None
        graph = KnowledgeGraph.load(graph_artifact.path)
        given = chain(corpus.documents_from_graph(graph), given)
    return live.updated(config.base, given, config.delete) if config.base else given
