"""The teacher's stage: questions of a dataset, asked of an endpoint, as a dataset of its own."""

import re
from pathlib import Path
from types import SimpleNamespace

from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data import taught
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.endpoint.config import say_where_data_go
from medr_jax.launch import diagnosis, stages
from medr_jax.trajectories import teacher
from medr_jax.trajectories.workshop import Setup

TEACHER_VERSION = "1"
"""Raise it when a change of code must filter and write again. Rollouts are kept apart from it."""


def teach(config: SimpleNamespace) -> Artifact:
    """Asks what is not answered yet; publishes when every question has an outcome.

    Raises:
        ValueError: the budget is spent, the endpoint refuses, or questions failed on its side;
            the same command goes on with what is left.
    """
    say_where_data_go(config.endpoint.checked())
    graph = stages.graph(config)
    index = stages.index(config, graph)
    dataset = stages.synthesize(config, graph, index)

    def build(path: Path) -> Outcome:
        workshop = Setup(
            graph_path=str(graph.path),
            index_path=str(index.path),
            questions=config.questions,
            tools=config.tools,
            synthesis=config.synthesis,
            diagnosis=diagnosis.of_tools(config, graph),
        ).open()
        rows = read_trajectories(dataset.path / "dataset", config.teacher.split)
        made = teacher.teach(
            [row.question for row in rows],
            config.endpoint,
            workshop.tools_for(config.teacher.split),
            config.teacher,
            store_path(config, "teacher", config.teacher.form),
            names=workshop.names,
            index_hash=index.content_hash,
        )
        named = f"{config.endpoint.model} at {config.endpoint.base_url}"
        return taught.publish(workshop, made, dataset.path / "dataset", path, config.teacher, named)

    return stages.run_stage(
        config,
        "teacher",
        settings={
            "teacher": config.teacher.identity,
            "endpoint": config.endpoint.identity,
            "tools": config.tools,
            **diagnosis.settings(config),
        },
        inputs={"synthesis": dataset.content_hash, "index": index.content_hash},
        version=TEACHER_VERSION,
        build=build,
        shown=("train", "rejected", "tokens"),
    )


def store_path(config: SimpleNamespace, *purpose: str) -> Path:
    """The file of what an endpoint's model was paid for.

    It is no part of any artifact: whoever asks more questions, or filters otherwise, asks none
    twice.
    """
    named = re.sub(r"[^\w.-]+", "_", "-".join([*purpose, config.endpoint.model]))
    return Path(config.paths.artifacts) / "rollouts" / f"{named}.jsonl"
