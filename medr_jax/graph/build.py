"""From configured sources to a ``KnowledgeGraph``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from medr_jax import console
from medr_jax.graph import mondo_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.mondo_table import MondoTable
from medr_jax.graph.normalize import normalize
from medr_jax.graph.sources.base import SourceRecords
from medr_jax.graph.sources.formats import FORMATS


@dataclasses.dataclass(kw_only=True, slots=True)
class SourceConfig:
    """One source of a graph."""

    format: str = "hpo"
    path: str = ""  # a file or folder; "" = the data inside an installed package

    def resolved(self) -> Path:
        """Where the data are. Raises ValueError when they are nowhere."""
        if self.path:
            return Path(self.path)
        package = FORMATS[self.format].package
        if package is None:
            raise ValueError(f"a graph source of format {self.format!r} needs a path")
        return package()


@dataclasses.dataclass(kw_only=True, slots=True)
class GraphConfig:
    """Which sources the graph is built from; the first one's names win."""

    sources: list[SourceConfig] = dataclasses.field(default_factory=lambda: [SourceConfig()])

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("graph.sources is empty: name at least one source")
        for i, source in enumerate(self.sources):
            field = f"graph.sources[{i}]"
            if source.format not in FORMATS:
                raise ValueError(f"{field}.format={source.format!r}: choose one of {list(FORMATS)}")
            if source.path and not Path(source.path).exists():
                raise ValueError(f"{field}.path={source.path!r} is neither a file nor a folder")
            if not source.path and FORMATS[source.format].package is None:
                raise ValueError(f"{field}.path is empty: give the file or folder to read")


def read_sources(config: GraphConfig) -> list[SourceRecords]:
    """Every source's records, in order.

    Raises:
        ValueError: a file is missing or malformed as a whole.
    """
    return [FORMATS[source.format].read(source.resolved()) for source in config.sources]


def build_graph(config: GraphConfig) -> KnowledgeGraph:
    """Reads the sources, merges what they call by many names, indexes the result.

    Bad rows are left out, counted as ``bad_rows`` and said.

    Raises:
        ValueError: a file of a source is missing or malformed as a whole.
    """
    sources = read_sources(config)
    for records in sources:
        if records.problems:
            console.say(
                f"{records.snapshot}: {len(records.problems):,} bad rows left out, the first: "
                f"{records.problems[0]} (all of them: python -m experiments.validate_data)"
            )
    return assemble(sources, mondo_table.shipped())


def assemble(sources: Sequence[SourceRecords], table: MondoTable) -> KnowledgeGraph:
    """One graph of several sources' records; the first source's snapshot comes first."""
    merged = normalize(sources, table)
    return KnowledgeGraph.from_records(
        merged.entities,
        merged.edges,
        blocks=[block for records in sources for block in records.blocks],
        snapshot="; ".join(dict.fromkeys(records.snapshot for records in sources)),
        alternative_ids=merged.alternative_ids,
        ambiguous_ids=merged.ambiguous_ids,
        counts=merged.counts,
    )
