"""Our benchmark as a stage: identifiers, questions and card from a finished synthesis."""

from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.eval.benchmarks import hpo_multihop
from medr_jax.launch import stages


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
