"""Rankings of the same documents, asked the queries of the scripted expert; no model."""

from collections.abc import Iterator
from types import SimpleNamespace

import msgspec

from medr_jax import jsonl
from medr_jax.artifacts import Artifact
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval import metrics, statistics
from medr_jax.eval.arms import RETRIEVAL, RetrievalRecord
from medr_jax.eval.config import select_questions
from medr_jax.launch import record, stages
from medr_jax.launch.grid.arms import changed, results_folder
from medr_jax.launch.grid.config import ARMS
from medr_jax.tools.runtime import ToolRuntime, standard_tools
from medr_jax.types import Trajectory


def compare_rankings(config: SimpleNamespace) -> None:
    """Writes a record for each λ and for plain BM25."""
    graph = stages.graph(config)
    dataset = stages.synthesize(config, graph)
    names = evaluation.entity_names(stages.load_graph(graph))
    rollouts = list(_expert(config, dataset))
    found = []
    for label, changes in _rankings(config):
        index = stages.index(changed(config, {"index": changes}), graph)
        engine = stages.load_engine(index)
        with standard_tools(engine, config.tools) as tools:
            counts = [metrics.count_next_entity(replay(one, tools), names) for one in rollouts]
        hits = statistics.bootstrap_ratio(
            [hit for _, hit in counts], [asked for asked, _ in counts]
        )
        found.append(
            RetrievalRecord(
                label=label,
                next_entity=hits,
                index_hash=engine.content_hash[:16],
                commit=str(record.environment()["commit"]),
            )
        )
        jsonl.write(results_folder(config) / RETRIEVAL, found)


def replay(trajectory: Trajectory, tools: ToolRuntime) -> Trajectory:
    """The same calls with what these tools answer to them."""
    turns = tuple(
        msgspec.structs.replace(turn, results=tuple(tools.call_many(turn.calls)))
        for turn in trajectory.turns
    )
    return msgspec.structs.replace(trajectory, turns=turns)


def _rankings(config: SimpleNamespace) -> Iterator[tuple[str, dict[str, object]]]:
    for weight in config.grid.relevance_weights:
        yield f"λ = {weight:g}", {"relevance_weight": weight}
    yield "plain BM25", dict(ARMS["plain_retriever"].act["index"])


def _expert(config: SimpleNamespace, dataset: Artifact) -> Iterator[Trajectory]:
    rows = list(read_trajectories(dataset.path / "dataset", config.evaluation.split))
    asked = select_questions((row.question for row in rows), config.evaluation)
    wanted = {question.question_id for question in asked}
    return (row for row in rows if row.question.question_id in wanted)
