"""What a policy answers to held-out questions: once greedily, several times sampled."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval.config import select_questions
from medr_jax.graph.families import disease_families
from medr_jax.launch import rl as rl_stage
from medr_jax.launch import stages
from medr_jax.rl.rewards import Scorer
from medr_jax.rl.rollout import Rollout
from medr_jax.rl.train import make_sampler
from medr_jax.sampling.config import EngineConfig
from medr_jax.sft import policy
from medr_jax.sharding import make_mesh
from medr_jax.tools.runtime import Sources, standard_tools
from medr_jax.types import Question, Record

ANSWERS = "answers.jsonl"


class Mark(Record):
    """How one rollout went."""

    right: bool
    supported: bool  # right, and a cited document states it
    tool_calls: int
    tokens: int  # that the policy wrote
    failed: bool  # on our side; counted as wrong


class Answered(Record):
    """A question with its rollouts; ``family`` is that of its seed disease."""

    question_id: str
    family: str
    num_hops: int
    greedy: Mark
    sampled: tuple[Mark, ...]


def answers(config: SimpleNamespace, folder: Path, dataset: Artifact) -> Artifact:
    """The policy's answers to the questions of ``study.splits``, or those it gave before."""
    graph = stages.graph(config)
    index = stages.index(config, graph)

    def build(path: Path) -> Outcome:
        found = _ask(config, folder, dataset, stages.load_graph(graph), stages.load_engine(index))
        jsonl.write(path / ANSWERS, found)
        greedy = sum(one.greedy.right for one in found) / len(found)
        counts = {"questions": len(found), "greedy": round(greedy, 4)}
        right = sum(mark.right for one in found for mark in one.sampled)
        counts["sampled"] = round(right / (len(found) * config.study.samples), 4)
        counts["failed"] = sum(mark.failed for one in found for mark in (one.greedy, *one.sampled))
        return Outcome(content_hash=jsonl.content_hash(found), counts=counts)

    return stages.run_stage(
        config,
        "answers",
        settings=asking(config),
        inputs={
            "synthesis": dataset.content_hash,
            "index": index.content_hash,
            "policy": policy.params_fingerprint(folder),
        },
        version=artifacts.code_version(
            *("medr_jax.agent", "medr_jax.grading", "medr_jax.rl.rewards"),
            "medr_jax.launch.study.answers",
        ),
        build=build,
        shown=("questions", "greedy", "sampled"),
    )


def asking(config: SimpleNamespace) -> dict[str, object]:
    """Settings that decide which questions are asked, and how."""
    return {
        "splits": config.study.splits,
        "samples": config.study.samples,
        "evaluation": {
            name: getattr(config.evaluation, name) for name in ("questions_per_hop", "hops", "seed")
        },
        "sampling": _sampling(config, greedy=False).identity(),
        "agent": config.agent,
        "tools": config.tools,
    }


def load(artifact: Artifact) -> list[Answered]:
    """The answers of a finished artifact."""
    return list(jsonl.read(artifact.path / ANSWERS, Answered))


def _ask(config, folder, dataset, graph, engine) -> list[Answered]:
    questions = _questions(config, dataset)
    tools = standard_tools(Sources(engine=engine, graph=lambda: graph), config.tools)
    scorer = Scorer(
        config.rl.rewards, evaluation.entity_names(graph), evaluation.document_text(engine)
    )
    start = rl_stage.start_from(policy.load_policy(folder, make_mesh(config.mesh)))
    groups = {}
    for greedy, size in ((True, 1), (False, config.study.samples)):
        sampler = make_sampler(
            start,
            _sampling(config, greedy=greedy),
            tools,
            config.agent,
            tool_schemas=tools.schemas(),
            index_hash=engine.content_hash,
        )
        names = [f"asked.{question.question_id}" for question in questions]
        rollouts = sampler(questions, names, size)
        groups[greedy] = [rollouts[at : at + size] for at in range(0, len(rollouts), size)]
    families = disease_families(graph)
    return [
        Answered(
            question_id=question.question_id,
            family=_family(question, families),
            num_hops=question.num_hops,
            greedy=_mark(one[0], scorer),
            sampled=tuple(_mark(rollout, scorer) for rollout in several),
        )
        for question, one, several in zip(questions, groups[True], groups[False], strict=True)
    ]


def _sampling(config: SimpleNamespace, *, greedy: bool) -> EngineConfig:
    """The policy's own distribution; the same noise for every arm."""
    temperature = 0.0 if greedy else config.rl_sampling.temperature
    return dataclasses.replace(
        config.rl_sampling, temperature=temperature, for_training=not greedy, seed=0
    )


def _questions(config: SimpleNamespace, dataset: Artifact) -> list[Question]:
    rows = dataset.path / "dataset"
    return [
        question
        for split in config.study.splits
        for question in select_questions(
            (trajectory.question for trajectory in read_trajectories(rows, split)),
            dataclasses.replace(config.evaluation, split=split),
        )
    ]


def _family(question: Question, families: Mapping[str, str]) -> str:
    return families.get(question.chain.seed_id) or question.chain.seed_id


def _mark(rollout: Rollout, scorer: Scorer) -> Mark:
    terms = scorer(rollout.trajectory, rollout.num_sampled)
    return Mark(
        right=terms.right and rollout.valid,
        supported=terms.right and rollout.valid and not terms.unsupported,
        tool_calls=rollout.trajectory.num_tool_calls,
        tokens=rollout.num_sampled,
        failed=not rollout.valid,
    )
