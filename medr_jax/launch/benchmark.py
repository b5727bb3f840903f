"""Our benchmark as a stage, and what a benchmark shares with the training split."""

from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval.benchmarks import base, hpo_multihop, registry
from medr_jax.eval.contamination import Overlap, overlap
from medr_jax.launch import stages
from medr_jax.trajectories import evidence


def make_hpo_multihop(config: SimpleNamespace) -> Artifact:
    """The benchmark of ``config.split``, and the stages before it."""
    graph = stages.graph(config)
    synthesis = stages.synthesize(config, graph)

    def build(path: Path) -> Outcome:
        made = hpo_multihop.build(graph, synthesis, config.split, path)
        counts = {"version": made.version, "questions": made.num_questions}
        return Outcome(content_hash=made.version, counts=counts)

    return stages.run_stage(
        config,
        "hpo_multihop",
        settings={"split": config.split},
        inputs={"graph": graph.content_hash, "synthesis": synthesis.content_hash},
        version=artifacts.code_version("medr_jax.eval.benchmarks.hpo_multihop"),
        build=build,
        shown=("version", "questions"),
    )


def check_contamination(config: SimpleNamespace) -> Overlap:
    """What the benchmark file ``config.path`` shares with our training trajectories."""
    benchmark = registry.get(config.benchmark)
    if not config.path:
        raise ValueError(f"path=...: name {benchmark.expected}")
    items = base.select(benchmark.load(config.path), config.subset)
    graph = stages.graph(config)
    synthesis = stages.synthesize(config, graph)
    knowledge = stages.load_graph(graph)
    entities = map(knowledge.entity, knowledge.entity_ids())
    texts = (
        text
        for trajectory in read_trajectories(synthesis.path / "dataset", "train")
        for text in evidence.texts(trajectory)
    )
    names = {entity.id: (entity.name, *entity.synonyms) for entity in entities}
    return overlap(items, texts, names, n=config.ngram)
