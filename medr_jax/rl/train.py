"""Reinforcement learning from a trained policy to a checkpoint."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax.agent.drivers import Tools
from medr_jax.agent.loop import AgentLimits
from medr_jax.artifacts import Outcome
from medr_jax.models.transformer import Transformer
from medr_jax.rl import step
from medr_jax.rl.config import RLConfig
from medr_jax.rl.curriculum import Curriculum, hops_stratum
from medr_jax.rl.pace import IterationPace
from medr_jax.rl.replay import ReplaySource, dump_paths
from medr_jax.rl.rewards import Mark
from medr_jax.rl.rollout import Rollout, Sampler
from medr_jax.rl.source import Roller, RolloutSource
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.loop import Task, TrainingConfig, train
from medr_jax.training.metrics import METRICS, TRAIN, read_metrics
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.state import fingerprint
from medr_jax.training.watch import WatchConfig
from medr_jax.types import Question


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The policy that training starts from, and which is its reference."""

    model: Transformer
    tokenizer: Tokenizer
    protocol: str
    mesh: Mesh
    fingerprint: str  # of its parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What the policy acts in and is marked by."""

    questions: Sequence[Question]  # of the training split
    dev_questions: Sequence[Question]
    tools: Tools
    dev_tools: Tools
    mark: Mark
    tool_schemas: Sequence[dict] = ()
    index_hash: str = ""
    stratum: Callable[[Question], str] = hops_stratum


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The configs of a run."""

    rl: RLConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    sampling: EngineConfig
    limits: AgentLimits
    watch: WatchConfig = field(default_factory=WatchConfig)
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON that is only noted

    def check(self, mesh: Mesh) -> None:
        """Raises ValueError where the configs do not fit each other."""
        rl, longest = self.rl, self.limits.max_total_tokens
        if not self.sampling.for_training or self.sampling.temperature <= 0:
            raise ValueError(
                "sampling: RL needs the policy's own distribution; use sampling=rl, or set "
                "for_training=true with temperature above 0"
            )
        if rl.row_length < longest:
            raise ValueError(
                f"rl.row_length={rl.row_length}: must hold the longest rollout, "
                f"agent.max_total_tokens={longest}"
            )
        if self.sampling.max_length < longest:
            raise ValueError(
                f"sampling.max_length={self.sampling.max_length}: must hold the longest rollout, "
                f"agent.max_total_tokens={longest}"
            )
        shards = mesh.shape["data"] * mesh.shape["fsdp"]
        if rl.micro_rows % shards:
            raise ValueError(
                f"rl.micro_rows={rl.micro_rows}: must be a multiple of mesh.data * mesh.fsdp = "
                f"{shards}"
            )


def train_rl(
    start: Start, world: World, settings: Settings, out: Path, *, replay: Path | None = None
) -> Outcome:
    """Trains to ``training.num_steps``, going on from what ``out`` already holds.

    With ``replay``, a run's folder or one of dumps, nothing is sampled: its rollouts are trained
    on. Writes ``checkpoints``, ``metrics.jsonl`` and ``rollouts`` under ``out``.

    Raises:
        ValueError: settings do not fit; says which and what to do.
        TrustError: the run is broken; nothing of the broken step is saved.
    """
    settings.check(start.mesh)
    with jax.set_mesh(start.mesh):
        reference = jax.tree.map(jnp.copy, nnx.split(start.model)[1])
        made = _build(start, settings)
        if replay is None:
            source = make_source(start, world, settings, made.score, reference, out)
        else:
            source = ReplaySource(dump_paths(replay), settings.rl, seed=settings.training.seed)
        task = Task(
            step=made.step,
            source=source,
            place=made.place,
            evaluate=_evaluate(start, world, settings),
            report=source.report,
            identity=_identity(start, world, settings, replay),
            facts={"mesh": dict(start.mesh.shape), **settings.facts},
        )
        state = train(made.state, task, settings.training, Path(out), settings.watch)
        content_hash = fingerprint(state.params)
    return Outcome(content_hash=content_hash, counts=_summary(Path(out)))


def sample_only(
    start: Start, world: World, settings: Settings, iteration: int = 0
) -> tuple[list[list[Rollout]], dict[str, float]]:
    """One iteration's groups and report from a checkpoint; nothing is trained."""
    settings.check(start.mesh)
    with jax.set_mesh(start.mesh):
        graph, params = nnx.split(start.model)
        place = step.make_rows_place(start.mesh, settings.rl.micro_rows)
        measure = step.make_measure(graph, _distribution(start, settings))
        score = step.make_score(measure, place)
        source = make_source(start, world, settings, score, params, Path())
        return source.rollouts(params, iteration)


def make_source(
    start: Start, world: World, settings: Settings, score: Any, reference: Any, out: Path
) -> RolloutSource:
    """The source of batches that samples from the policy it is given."""
    roller = Roller(
        sampler=_world_sampler(start, world, settings, settings.sampling, world.tools),
        mark=world.mark,
        score=score,
        reference=reference,
    )
    seed = settings.training.seed
    curriculum = Curriculum(
        world.questions, settings.rl.curriculum, seed=seed, stratum=world.stratum
    )
    keep = settings.training.keep_checkpoints + 1  # the one being written is one more
    return RolloutSource(
        roller,
        curriculum,
        settings.rl,
        out,
        pace=IterationPace(start.model.config, settings.watch.peak_of(start.mesh)),
        seed=seed,
        keep=keep,
    )


def _build(start: Start, settings: Settings) -> step.RL:
    return step.build(
        start.model,
        settings.optimizer,
        settings.training,
        settings.rl,
        start.mesh,
        _distribution(start, settings),
    )


def _distribution(start: Start, settings: Settings) -> step.Distribution:
    pad_id = get_protocol(start.protocol).pad_id(start.tokenizer)
    return step.Distribution(settings.sampling.temperature, (pad_id,))


def make_sampler(
    start: Start,
    sampling: EngineConfig,
    tools: Tools,
    limits: AgentLimits,
    *,
    tool_schemas: Sequence[dict] = (),
    index_hash: str = "",
    overlap_tools: bool = False,
) -> Sampler:
    """What turns questions into rollouts of the policy that ``start`` holds."""
    protocol = get_protocol(start.protocol)
    engine = Engine(
        start.model,
        sampling,
        mesh=start.mesh,
        stop_ids=protocol.stop_ids(start.tokenizer),
        pad_id=protocol.pad_id(start.tokenizer),
    )
    return Sampler(
        engine=engine,
        tokenizer=start.tokenizer,
        protocol=protocol,
        tools=tools,
        limits=limits,
        tool_schemas=tool_schemas,
        index_hash=index_hash,
        overlap_tools=overlap_tools,
    )


def _world_sampler(
    start: Start, world: World, settings: Settings, sampling: EngineConfig, tools: Tools
) -> Sampler:
    return make_sampler(
        start,
        sampling,
        tools,
        settings.limits,
        tool_schemas=world.tool_schemas,
        index_hash=world.index_hash,
        overlap_tools=settings.rl.overlap_tools,
    )


def _evaluate(
    start: Start, world: World, settings: Settings
) -> Callable[[Any], dict[str, float]] | None:
    """Greedy answers to the development questions by the same loop, or None without any."""
    if not world.dev_questions or not settings.training.eval_every:
        return None
    greedy = dataclasses.replace(settings.sampling, temperature=0.0, for_training=False)
    sampler = _world_sampler(start, world, settings, greedy, world.dev_tools)
    names = [f"dev.{number}" for number in range(len(world.dev_questions))]

    def evaluate(params: Any) -> dict[str, float]:
        sampler.engine.set_params(params, 0)
        rollouts = sampler(world.dev_questions, names, 1, mark=world.mark)
        sampler.engine.release_params()
        terms = [rollout.terms for rollout in rollouts if rollout.valid]
        return {
            "exact_match": float(np.mean([one.right for one in terms])),
            "supported": float(np.mean([one.right and not one.unsupported for one in terms])),
        }

    return evaluate


def _identity(
    start: Start, world: World, settings: Settings, replay: Path | None
) -> dict[str, Any]:
    """What must not change when a run goes on; the mesh and the micro-batch may."""
    rl = dataclasses.replace(settings.rl, micro_rows=1, dump_every=0)
    training = settings.training
    return {
        "start": start.fingerprint,
        "tokenizer": start.tokenizer.content_hash,
        "protocol": start.protocol,
        "index": world.index_hash,
        "questions": len(world.questions),
        "rl": _plain(rl),
        "agent": _plain(settings.limits),
        "optimizer": _plain(settings.optimizer),
        "temperature": settings.sampling.temperature,
        "sampling_seed": settings.sampling.seed,
        "training": {"num_steps": training.num_steps, "seed": training.seed},
        "replay": str(replay or ""),
    }


def _plain(config: Any) -> dict[str, Any]:
    return msgspec.to_builtins(dataclasses.asdict(config))


def _summary(out: Path) -> dict[str, float]:
    """First and last sampled share of right answers, for the console and the manifest."""
    trained = [record for record in read_metrics(out / METRICS) if record["kind"] == TRAIN]
    shares = [r["rollout/exact_match"] for r in trained if "rollout/exact_match" in r]
    if not shares:
        return {"steps": len(trained)}
    some = max(1, min(5, len(shares) // 2))
    return {
        "steps": len(trained),
        "exact_match_first": round(float(np.mean(shares[:some])), 4),
        "exact_match_last": round(float(np.mean(shares[-some:])), 4),
    }
