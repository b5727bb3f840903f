"""The evaluation of an endpoint's model beside the baselines; needs no weights and no JAX."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.endpoint.config import say_where_data_go
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval.agents import Bench, endpoint_agent
from medr_jax.eval.contamination import unseen_questions
from medr_jax.eval.evaluate import Agent, Grader
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import diagnosis, stages
from medr_jax.launch.teach import store_path
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.runtime import standard_tools
from medr_jax.types import Question


def evaluate_endpoint(config: SimpleNamespace) -> Artifact:
    """Asks the questions of ``config.evaluation`` and grades what came of them.

    Raises:
        ValueError: the budget is spent, the endpoint refuses, or questions failed on its side;
            the same command goes on with what is left.
    """
    say_where_data_go(config.endpoint.checked())
    graph = stages.graph(config)
    index = stages.index(config, graph)
    dataset = stages.synthesize(config, graph, index)

    def build(path: Path) -> Outcome:
        rows = dataset.path / "dataset"
        held_out = read_trajectories(rows, config.evaluation.split)
        questions = evaluation.select_questions(
            (row.question for row in held_out), config.evaluation
        )
        knowledge_graph, engine = stages.load_graph(graph), stages.load_engine(index)
        grader = _grader(questions, knowledge_graph, engine, rows)
        agents = _agents(config, dataset, knowledge_graph, engine)
        for agent in agents:
            evaluation.evaluate(agent, questions, grader, path)
        return Outcome(content_hash="", counts={"questions": len(questions)})

    return stages.run_stage(
        config,
        "endpoint_evaluation",
        settings={
            "endpoint": config.endpoint.identity,
            "agents": config.agents,
            "evaluation": config.evaluation,
            "agent": config.agent,
            "tools": config.tools,
            **diagnosis.settings(config),
            "expert": config.synthesis.expert,
        },
        inputs={"synthesis": dataset.content_hash, "index": index.content_hash},
        # Rollouts are kept apart from this artifact, so grading again asks nothing again.
        version=artifacts.code_version("medr_jax.eval", "medr_jax.grading", "medr_jax.agent"),
        build=build,
        shown=("questions",),
    )


def _grader(
    questions: Sequence[Question], graph: KnowledgeGraph, engine: SearchEngine, rows: Path
) -> Grader:
    names = evaluation.entity_names(graph)
    return Grader(
        names=names,
        document_text=evaluation.document_text(engine),
        unseen=unseen_questions(
            questions,
            read_trajectories(rows, "train"),
            names=names,
            kind_of=lambda entity_id: graph.entity(entity_id).kind,
        ),
    )


def _agents(
    config: SimpleNamespace, dataset: Artifact, graph: KnowledgeGraph, engine: SearchEngine
) -> list[Agent]:
    """The endpoint's settings, then the baselines that ``config.evaluation`` names."""
    tools = standard_tools(diagnosis.tool_sources(config, engine, graph), config.tools)
    bench = Bench(
        endpoint=config.endpoint,
        tools=tools,
        limits=config.agent,
        config=config.agents,
        store_path=store_path(config, "evaluation"),
        benchmark=dataset.content_hash,
        index_hash=engine.content_hash,
    )
    return [
        *(endpoint_agent(setting, bench) for setting in config.agents.settings),
        *evaluation.baseline_agents(
            config.evaluation,
            tools,
            training=list(jsonl.read(dataset.path / "questions-train.jsonl", Question)),
            graph=graph,
            expert=config.synthesis.expert,
            expert_seed=config.synthesis.seed,
            identity={"tools": dataclasses.asdict(config.tools)},
            index_hash=engine.content_hash,
        ),
    ]
