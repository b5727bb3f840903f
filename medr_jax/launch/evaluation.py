"""The live evaluation of a checkpoint beside its baselines, and the report of a whole run."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval.contamination import Unseen, unseen_questions
from medr_jax.eval.evaluate import Agent, Grader
from medr_jax.eval.metrics import Summary
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import diagnosis, stages, training
from medr_jax.retrieval.search import SearchEngine
from medr_jax.sampling.engine import Engine
from medr_jax.sft.policy import Policy, load_policy, read_description
from medr_jax.sharding import make_mesh
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tools.config import ToolsConfig
from medr_jax.tools.runtime import Sources, standard_tools
from medr_jax.types import Question


class Evaluated(NamedTuple):
    """A finished evaluation and what it stands on."""

    artifact: Artifact
    graph: KnowledgeGraph
    used: tuple[Artifact, ...]  # in the order they were made, the evaluation last


def evaluate(config: SimpleNamespace, dataset: Artifact | None = None) -> Evaluated:
    """Runs the checkpoint of ``config`` (trained now if need be) and the baselines.

    With ``config.checkpoint``, a training folder, that one is evaluated instead. ``dataset``:
    whose held-out questions are asked, where it is not the one that ``config`` describes.
    """
    training.enable_compile_cache(config.paths.compile_cache)
    if config.checkpoint:
        read_description(Path(config.checkpoint))  # a wrong folder is said before the stages run
    graph = stages.graph(config)
    index = stages.index(config, graph)
    dataset = dataset or stages.synthesize(config, graph, index)
    used = [graph, index, dataset]
    if config.checkpoint:
        folder = Path(config.checkpoint)
    else:
        used += training.sft(config, dataset)
        folder = used[-1].path
    policy = load_policy(folder, make_mesh(config.mesh))
    knowledge_graph, engine = stages.load_graph(graph), stages.load_engine(index)

    def build(path: Path) -> Outcome:
        bench = _Bench(config, dataset, knowledge_graph, engine)
        summaries = [
            evaluation.evaluate(agent, bench.questions, bench.grader, path, seed=_seed(policy))
            for agent in bench.agents(policy)
        ]
        return Outcome(content_hash="", counts=_headline(summaries))

    artifact = stages.run_stage(
        config,
        "evaluation",
        settings={
            "evaluation": config.evaluation,
            "sampling": config.sampling,
            "agent": config.agent,
            "tools": config.tools,
            **diagnosis.settings(config),
            "expert": config.synthesis.expert,
        },
        inputs={
            "synthesis": dataset.content_hash,
            "index": index.content_hash,
            "policy": policy.meta["fingerprints"]["params"],
        },
        version=artifacts.code_version("medr_jax.eval", "medr_jax.grading", "medr_jax.agent"),
        build=build,
        shown=("questions", "exact_match", "evidence_supported", "valid_calls"),
    )
    return Evaluated(artifact, knowledge_graph, (*used, artifact))


class _Bench:
    """Questions, tools and grader of one evaluation."""

    def __init__(
        self,
        config: SimpleNamespace,
        dataset: Artifact,
        graph: KnowledgeGraph,
        engine: SearchEngine,
    ):
        self._config = config
        self._graph = graph
        self._engine = engine
        self._rows = dataset.path / "dataset"
        held_out = read_trajectories(self._rows, config.evaluation.split)
        self.questions = evaluation.select_questions(
            (trajectory.question for trajectory in held_out), config.evaluation
        )
        names = evaluation.entity_names(graph)
        self.grader = Grader(
            names=names,
            document_text=evaluation.document_text(engine),
            unseen=self._unseen(names),
        )

    @property
    def _sources(self) -> Sources:
        return diagnosis.tool_sources(self._config, self._engine, self._graph)

    def agents(self, policy: Policy) -> Iterator[Agent]:
        """All that the config asks for; the model comes first."""
        config = self._config
        yield self._model(policy, evaluation.MODEL, config.tools)
        if config.evaluation.emptied_results:
            emptied = dataclasses.replace(config.tools, empty_results=True)
            yield self._model(policy, evaluation.EMPTIED, emptied)
        yield from evaluation.baseline_agents(
            config.evaluation,
            standard_tools(self._sources, config.tools),
            training=self._training_questions(),
            graph=self._graph,
            expert=config.synthesis.expert,
            expert_seed=config.synthesis.seed,
            index_hash=self._engine.content_hash,
        )

    def _model(self, policy: Policy, name: str, tools_config: ToolsConfig) -> Agent:
        return checkpoint_agent(self._config, policy, self._sources, tools_config, name)

    def _unseen(self, names) -> Unseen:
        return unseen_questions(
            self.questions,
            read_trajectories(self._rows, "train"),
            names=names,
            kind_of=lambda entity_id: self._graph.entity(entity_id).kind,
        )

    def _training_questions(self) -> Sequence[Question]:
        return list(jsonl.read(self._rows.parent / "questions-train.jsonl", Question))


def checkpoint_agent(
    config: SimpleNamespace, policy: Policy, sources: Sources, tools_config: ToolsConfig, name: str
) -> Agent:
    """A checkpoint as an agent under test, in the slots of an engine of its own."""
    protocol = get_protocol(policy.protocol)
    tools = standard_tools(sources, tools_config)
    sampler = Engine(
        policy.model,
        config.sampling,
        mesh=policy.mesh,
        stop_ids=protocol.stop_ids(policy.tokenizer),
        pad_id=protocol.pad_id(policy.tokenizer),
    )
    return evaluation.model_agent(
        name,
        sampler,
        policy.tokenizer,
        protocol,
        tools,
        config.agent,
        identity={
            "policy": policy.meta["fingerprints"]["params"],
            "sampling": config.sampling.identity(),
            "tools": dataclasses.asdict(tools_config),
        },
        tool_schemas=tools.schemas(),
        index_hash=sources.engine.content_hash,
    )


def _seed(policy: Policy) -> int:
    """The training run's; 0 for imported weights, which no run of ours made."""
    return policy.meta["identity"].get("training", {}).get("seed", 0)


def _headline(summaries: Sequence[Summary]) -> dict[str, object]:
    (model,) = (summary for summary in summaries if summary.agent == evaluation.MODEL)
    return {"questions": model.num_questions}
