"""The stages that need no accelerator library: graph, index, trajectories, tokenizer.

Each function makes sure of the stages before it, so any command can be the first one run.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, console
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.graph import build as graph_build
from medr_jax.graph.build import SourceConfig
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import record
from medr_jax.models import pretrained
from medr_jax.tokens.tokenizer import Tokenizer, train_tokenizer

SOURCE_FILES = {
    *(".obo", ".hpoa", ".txt", ".csv", ".tab", ".tsv", ".json", ".jsonl", ".xml", ".gz"),
}


@dataclass(kw_only=True, slots=True)
class PathsConfig:
    """Where things are kept, relative to the working directory."""

    artifacts: str = "artifacts"  # outputs of stages, reused by later runs
    runs: str = "runs"  # one folder a run: config, record, links to the artifacts it used
    compile_cache: str = "artifacts/compile_cache"  # of XLA; "" switches it off


def run_stage(
    config: SimpleNamespace,
    stage: str,
    *,
    settings: dict[str, object],
    inputs: dict[str, str],
    version: str,
    build: Callable[[Path], Outcome],
    shown: Sequence[str],
) -> Artifact:
    """Builds or reuses one artifact, prints its line and links it in the run directory.

    ``shown`` names the counts that stand in the line; the manifest has them all.
    """
    with console.stage(stage) as line:
        artifact = artifacts.get_or_build(
            config.paths.artifacts,
            stage,
            config=settings,
            inputs=inputs,
            version=version,
            build=build,
        )
        counts = artifact.manifest.counts
        line.update({name: counts[name] for name in shown if name in counts})
        line["reused" if artifact.reused else "in"] = str(artifact.path)
    record.link_artifact(getattr(config, "run_dir", None), artifact)
    return artifact


def graph(config: SimpleNamespace) -> Artifact:
    """The knowledge graph of ``config.graph``."""

    def build(path: Path) -> Outcome:
        knowledge_graph = graph_build.build_graph(config.graph)
        knowledge_graph.save(path)
        return Outcome(
            content_hash=knowledge_graph.content_hash, counts=dict(knowledge_graph.counts)
        )

    return run_stage(
        config,
        "graph",
        settings={"graph": config.graph},
        inputs=_source_hashes(config.graph.sources),
        version=artifacts.code_version("medr_jax.graph", "medr_jax.types"),
        build=build,
        shown=("disease", "phenotype", "gene", "edges", "excluded_edges"),
    )


def _source_hashes(sources: Sequence[SourceConfig]) -> dict[str, str]:
    """ "0/hp.obo" -> sha256 of what the graph is read from: a changed file is a new input."""
    hashes = {}
    for i, source in enumerate(sources):
        path = source.resolved()
        folder = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in (file for file in folder if file.suffix in SOURCE_FILES):
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            hashes[f"{i}/{file.name}"] = digest
    return hashes


def load_graph(artifact: Artifact) -> KnowledgeGraph:
    """The graph of a finished artifact."""
    return KnowledgeGraph.load(artifact.path)


def index(config: SimpleNamespace, graph_artifact: Artifact | None = None) -> Artifact:
    """The Tantivy index over the graph's documents and those of ``index.sources``."""
    from medr_jax.launch import indexing

    wanted = config.index
    if wanted.graph:
        graph_artifact = graph_artifact or graph(config)
    artifact = run_stage(
        config,
        "index",
        settings=indexing.settings(wanted),
        inputs=indexing.inputs(wanted, graph_artifact),
        version=artifacts.code_version("medr_jax.retrieval"),
        build=lambda path: indexing.build(wanted, graph_artifact, path),
        shown=("documents", "skipped", "superseded"),
    )
    indexing.publish(wanted, artifact)
    return artifact


def load_engine(artifact: Artifact):
    """The search engine of a finished index artifact, with its encoder if it has one."""
    from medr_jax.launch import indexing
    from medr_jax.retrieval.search import SearchEngine

    encoder = artifact.manifest.config["encoder"]
    embed = indexing.encoder(encoder) if encoder else None
    return SearchEngine.open(artifact.path, embed=embed)


def synthesize(
    config: SimpleNamespace,
    graph_artifact: Artifact | None = None,
    index_artifact: Artifact | None = None,
) -> Artifact:
    """Questions and the expert's trajectories over the live index, as a TFDS dataset."""
    from medr_jax.data import synthesize as synthesis
    from medr_jax.launch import diagnosis
    from medr_jax.launch.card_page import write_card_page

    graph_artifact = graph_artifact or graph(config)
    index_artifact = index_artifact or index(config, graph_artifact)

    def build(path: Path) -> Outcome:
        outcome = synthesis.synthesize(
            graph_path=graph_artifact.path,
            index_path=index_artifact.path,
            question_config=config.questions,
            tools_config=config.tools,
            config=config.synthesis,
            out=path,
            diagnosis=diagnosis.of_tools(config, graph_artifact),
        )
        write_card_page(path)
        return outcome

    return run_stage(
        config,
        "synthesis",
        settings={
            "questions": config.questions,
            "tools": config.tools,
            # How many processes work does not change what they make.
            "synthesis": dataclasses.replace(config.synthesis, num_workers=1),
            **diagnosis.settings(config),
        },
        inputs={
            "graph": graph_artifact.content_hash,
            "index": index_artifact.content_hash,
            **_difficulty_hash(config.synthesis.difficulty.measured),
        },
        version=artifacts.code_version(
            "medr_jax.questions",
            "medr_jax.trajectories",
            "medr_jax.tools",
            "medr_jax.retrieval",
            "medr_jax.agent",
            "medr_jax.data.drafts",
            "medr_jax.data.synthesize",
            "medr_jax.data.tfds_builder",
        ),
        build=build,
        shown=("train", "dev", "test", "rejected", "tool_calls", "specialties"),
    )


def _difficulty_hash(measured: str) -> dict[str, str]:
    """The measurement that questions are filtered by, if there is one, as an input."""
    if not measured:
        return {}
    if not Path(measured).is_file():
        raise ValueError(
            f"synthesis.difficulty.measured={measured}: no such file; make one by "
            "python -m experiments.measure_difficulty"
        )
    return {"difficulty": hashlib.sha256(Path(measured).read_bytes()).hexdigest()}


def tokenizer(config: SimpleNamespace, dataset: Artifact | None = None) -> Artifact:
    """The tokenizer of the given weights, else one trained on the training split's text only."""
    if config.weights.given:
        found = pretrained.load_tokenizer(config.weights)
        settings = {"weights": config.weights.source.value}
        inputs = {"tokenizer": found.content_hash}
    else:
        dataset = dataset or synthesize(config)
        settings = {"tokenizer": config.tokenizer}
        inputs = {"synthesis": dataset.content_hash}

    def build(path: Path) -> Outcome:
        if config.weights.given:
            made = pretrained.save_tokenizer(config.weights, path)
        else:
            made = _trained_tokenizer(config, dataset)
            made.save(path)
        return Outcome(content_hash=made.content_hash, counts={"vocabulary": made.vocab_size})

    return run_stage(
        config,
        "tokenizer",
        settings=settings,
        inputs=inputs,
        version=artifacts.code_version("medr_jax.tokens"),
        build=build,
        shown=("vocabulary",),
    )


def _trained_tokenizer(config: SimpleNamespace, dataset: Artifact) -> Tokenizer:
    """Byte-level BPE over what the protocol writes of the training split."""
    from medr_jax.data.tfds_builder import read_metadata, read_trajectories
    from medr_jax.tokens import protocol as protocols

    agent_protocol = protocols.get_protocol(config.tokenizer.protocol)
    schemas = read_metadata(dataset.path / "dataset")["tool_schemas"]
    texts = (
        text
        for trajectory in read_trajectories(dataset.path / "dataset", "train")
        for text in protocols.texts(trajectory, agent_protocol, schemas)
    )
    return train_tokenizer(texts, config.tokenizer, agent_protocol.control_tokens)
