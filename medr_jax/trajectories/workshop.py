"""The two kinds of work of synthesis, in shards: questions of some seeds, and trajectories."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from medr_jax.agent.drivers import run_sequential
from medr_jax.agent.loop import AgentLimits, TextEpisode, text_episode
from medr_jax.diagnosis.diagnose import DiagnosisSource
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.config import CHAINS, QuestionConfig
from medr_jax.questions.forms.make import FormMaker
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.select import Cell
from medr_jax.questions.splits import Splits, assign_splits
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.config import ToolsConfig
from medr_jax.tools.runtime import Sources, ToolRuntime, standard_tools
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories.briefing import brief
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.expert import EvidenceMissing, Expert
from medr_jax.trajectories.exposure import NameFinder
from medr_jax.trajectories.perturb import Explorer, explores
from medr_jax.types import Kind, Question, Record, ToolResult, Trajectory

TRAIN = "train"
HELD_OUT = ("dev", "test")


class Drafted(Record):
    """Questions of a shard of seeds, seed by seed, and why other drafts were rejected."""

    questions: tuple[tuple[Question, ...], ...]
    rejections: dict[str, int]


class Attempt(Record):
    """What the expert made of a question."""

    question_id: str
    trajectory: Trajectory | None = None
    reason: str = ""  # why there is no trajectory
    named: tuple[str, ...] = ()  # held-out entities that a training trajectory names


class Attempted(Record):
    """Attempts of one shard of questions, in their order."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What jobs need, told so that another process can open it for itself."""

    graph_path: str
    index_path: str
    questions: QuestionConfig
    tools: ToolsConfig
    synthesis: SynthesisConfig
    diagnosis: DiagnosisSource | None = None  # for the tool of that name

    def open(self) -> "Workshop":
        """A bench; graph and index come in when first used."""
        return Workshop(self)


class DraftJob(Record):
    """Questions of some seed entities."""

    path: str
    split: str
    seeds: tuple[str, ...]
    closed: tuple[Cell, ...]  # of which there are enough questions
    form: str = CHAINS

    @property
    def size(self) -> int:
        """Seeds."""
        return len(self.seeds)

    def run(self, bench: "Workshop") -> Drafted:
        """All verified questions of the seeds, those of closed cells left out."""
        rejected = (bench.maker if self.form == CHAINS else bench.form_maker).rejections
        rejected.clear()
        questions = tuple(tuple(self._made(bench, seed)) for seed in self.seeds)
        rejections = {str(reason): count for reason, count in sorted(rejected.items())}
        return Drafted(questions=questions, rejections=rejections)

    def _made(self, bench: "Workshop", seed: str) -> list[Question]:
        if self.form == CHAINS:
            return bench.maker.from_seed(seed, self.split, frozenset(self.closed))
        return bench.form_maker.from_seed(self.form, seed, self.split)


class AttemptJob(Record):
    """The expert's trajectories on some questions of one split."""

    path: str
    split: str
    questions: tuple[Question, ...]

    @property
    def size(self) -> int:
        """Questions."""
        return len(self.questions)

    def run(self, bench: "Workshop") -> Attempted:
        """One attempt for each question, in order."""
        return Attempted(attempts=tuple(map(bench.attempt, self.questions)))


class Workshop:
    """Graph, index and tools of one process: the bench of its jobs."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._limits = AgentLimits(max_turns=setup.synthesis.max_turns)

    def warm_up(self) -> None:
        """Loads graph and index."""
        _ = self.maker, self.engine

    @functools.cached_property
    def graph(self) -> KnowledgeGraph:
        """The knowledge graph."""
        return KnowledgeGraph.load(Path(self.setup.graph_path))

    @functools.cached_property
    def engine(self) -> SearchEngine:
        """The index, opened read-only."""
        return SearchEngine.open(Path(self.setup.index_path))

    @functools.cached_property
    def splits(self) -> Splits:
        """The split of every disease and gene."""
        return assign_splits(self.graph, self.setup.questions)

    @functools.cached_property
    def maker(self) -> QuestionMaker:
        """What makes the questions of a seed."""
        return QuestionMaker(self.graph, self.setup.questions, self.splits)

    @functools.cached_property
    def form_maker(self) -> FormMaker:
        """What makes the questions of the other forms."""
        return FormMaker(self.maker)

    @functools.cached_property
    def held_out(self) -> frozenset[str]:
        """Diseases and genes of the dev and test splits."""
        return frozenset(
            entity_id
            for kind in (Kind.DISEASE, Kind.GENE)
            for entity_id in self.graph.entity_ids(kind)
            if self.splits.split_of(entity_id) in HELD_OUT
        )

    @property
    def tool_schemas(self) -> list[dict]:
        """The tools as a model is told of them."""
        return self._tools.schemas()

    @property
    def sources(self) -> Sources:
        """What tools look things up in."""
        diagnosis = self.setup.diagnosis
        return Sources(
            engine=self.engine,
            graph=lambda: self.graph,
            diagnosis=diagnosis and (lambda: diagnosis.open(self.graph)),
        )

    @functools.cached_property
    def _tools(self) -> ToolRuntime:
        return standard_tools(self.sources, self.setup.tools)

    @functools.cached_property
    def _train_tools(self) -> ToolRuntime:
        if not self.setup.synthesis.hide_heldout:
            return self._tools
        return standard_tools(self.sources, self.setup.tools, exclude=self.held_out)

    def tools_for(self, split: str) -> ToolRuntime:
        """The tools of a split's trajectories; those of training may hide held-out documents."""
        return self._train_tools if split == TRAIN else self._tools

    @functools.cached_property
    def _finder(self) -> NameFinder:
        return NameFinder({entity_id: self.names(entity_id) for entity_id in self.held_out})

    def names(self, entity_id: str) -> tuple[str, ...]:
        """An entity's name and synonyms."""
        entity = self.graph.entity(entity_id)
        return (entity.name, *entity.synonyms)

    def named(self, trajectory: Trajectory) -> tuple[str, ...]:
        """Held-out diseases and genes that the trajectory's text names."""
        return self._finder.named(trajectory)

    def attempt(self, question: Question) -> Attempt:
        """Runs the expert against the live index and judges what came of it."""
        config = self.setup.synthesis
        training = question.split == TRAIN
        expert = Expert(question, brief(self.graph, question), config.expert, seed=config.seed)
        episode = text_episode(
            question, self._limits, policy="expert", index_hash=self.engine.content_hash
        )
        tools = self.tools_for(question.split)
        try:
            if training and explores(config.exploration, question, config.seed):
                trajectory = self._explored(episode, question, expert, tools)
            else:
                trajectory = settled(run_sequential(episode, expert, tools))
        except EvidenceMissing as missing:
            return Attempt(question_id=question.question_id, reason=str(missing))
        reason = filters.reason_against(trajectory, names=self.names, max_words=config.max_words)
        if reason is not None:
            return Attempt(question_id=question.question_id, reason=str(reason))
        named = self.named(trajectory) if training else ()
        return Attempt(question_id=question.question_id, trajectory=trajectory, named=named)

    def _explored(
        self, episode: TextEpisode, question: Question, expert: Expert, tools: ToolRuntime
    ) -> Trajectory:
        config = self.setup.synthesis
        explorer = Explorer(
            question,
            expert,
            tools,
            config.exploration,
            style=config.expert.thoughts,
            seed=config.seed,
        )
        return explorer.labelled(settled(run_sequential(episode, explorer, explorer.tools)))


def settled(trajectory: Trajectory) -> Trajectory:
    """The trajectory without what differs from run to run: latencies; scores are rounded."""
    return msgspec.structs.replace(
        trajectory,
        turns=tuple(
            msgspec.structs.replace(turn, results=tuple(_settled_results(turn.results)))
            for turn in trajectory.turns
        ),
    )


def _settled_results(results: Iterable[ToolResult]) -> Iterator[ToolResult]:
    for result in results:
        hits = tuple(msgspec.structs.replace(hit, score=round(hit.score, 4)) for hit in result.hits)
        yield msgspec.structs.replace(result, hits=hits, latency_ms=0.0)
