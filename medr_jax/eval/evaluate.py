"""Runs agents on held-out questions and grades what they did.

Each agent's results lie in a folder of their own, ``results.jsonl`` (a graded trajectory a
line) and ``summary.json``, which is written last: an agent that has one for the same questions
and the same setting is not run again.
"""

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from medr_jax import artifacts, console, jsonl
from medr_jax.agent.drivers import SlotEngine, Tools, run_sequential, run_slots
from medr_jax.agent.loop import AgentLimits, text_episode, token_episode
from medr_jax.eval import baselines, metrics
from medr_jax.eval.baselines import PolicyFactory
from medr_jax.eval.contamination import Unseen
from medr_jax.eval.metrics import Result, Summary
from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tokens.protocol import AgentProtocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.trajectories.expert import ExpertConfig
from medr_jax.trajectories.workshop import settled
from medr_jax.types import Question, Trajectory

RESULTS, SUMMARY = "results.jsonl", "summary.json"
SPLITS = ("dev", "test")
BASELINES = ("majority", "top_hit", "heuristic", "oracle")
MODEL, EMPTIED = "model", "model_emptied"
AGENTS = ("majority", "top_hit", "heuristic", EMPTIED, MODEL, "oracle")
"""Rows of the table, from the weakest comparison to the strongest."""

_CODE = (
    "medr_jax.agent",
    "medr_jax.eval.baselines",
    "medr_jax.eval.evaluate",
    "medr_jax.eval.metrics",
    "medr_jax.eval.reading",
    "medr_jax.eval.statistics",
    "medr_jax.grading",
)
"""What results depend on; tables and pages can change without a new run."""


@dataclass(kw_only=True, slots=True)
class EvaluationConfig:
    """Which questions are asked and whom the model is compared with."""

    split: str = "test"  # "dev" for choices, "test" for the numbers that are reported
    questions_per_hop: int = 100  # of each hop count; all there are when there are fewer
    hops: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    seed: int = 0  # which questions, where there are more than asked for
    baselines: list[str] = field(default_factory=lambda: list(BASELINES))
    emptied_results: bool = True  # the same model, with every search result emptied
    num_rollouts_shown: int = 5  # whole rollouts in the report

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"evaluation.split={self.split!r}: choose one of {list(SPLITS)}")
        if self.questions_per_hop < 1:
            raise ValueError(
                f"evaluation.questions_per_hop={self.questions_per_hop}: must be at least 1"
            )
        if not self.hops or min(self.hops) < 1:
            raise ValueError(f"evaluation.hops={self.hops}: list hop counts from 1 up")
        if unknown := sorted(set(self.baselines) - set(BASELINES)):
            raise ValueError(
                f"evaluation.baselines: unknown {unknown}; choose from {list(BASELINES)}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """Someone to evaluate. ``identity`` holds what its answers depend on, beside questions."""

    name: str
    roll_out: Callable[[Sequence[Question]], list[Trajectory]]
    identity: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grader:
    """Turns trajectories into results."""

    names: match.Names
    document_text: metrics.DocumentText
    unseen: Unseen

    def __call__(self, agent: str, trajectory: Trajectory) -> Result:
        """Grades one rollout."""
        question_id = trajectory.question.question_id
        return metrics.grade(
            agent,
            trajectory,
            names=self.names,
            document_text=self.document_text,
            unseen=question_id in self.unseen.fully,
            unseen_entities=question_id in self.unseen.entities,
        )


def entity_names(graph: KnowledgeGraph) -> match.Names:
    """All names of an entity of the graph, its own first."""

    def names(entity_id: str) -> tuple[str, ...]:
        entity = graph.entity(entity_id)
        return (entity.name, *entity.synonyms)

    return names


def document_text(search_engine: SearchEngine) -> metrics.DocumentText:
    """The whole text of an indexed document: title, synonyms and segments."""

    def text(doc_id: str) -> str:
        document = search_engine.document(doc_id)
        if document is None:
            return ""
        return "\n".join((document.title, *document.synonyms, *document.segments))

    return text


def select_questions(questions: Iterable[Question], config: EvaluationConfig) -> list[Question]:
    """The questions that are asked: of each hop count the first by a seeded hash of the id.

    The choice does not depend on the order given. Raises ValueError when a hop count has none.
    """
    by_hop: dict[int, list[Question]] = {hop: [] for hop in sorted(set(config.hops))}
    for question in questions:
        if question.num_hops in by_hop:
            by_hop[question.num_hops].append(question)
    missing = [hop for hop, found in by_hop.items() if not found]
    if missing:
        raise ValueError(
            f"split {config.split!r} has no questions of {missing} hops; synthesize some, or "
            f"set evaluation.hops={[hop for hop in by_hop if hop not in missing]}"
        )

    def order(question: Question) -> str:
        return hashlib.sha256(f"{config.seed}:{question.question_id}".encode()).hexdigest()

    chosen = (sorted(found, key=order)[: config.questions_per_hop] for found in by_hop.values())
    return [question for part in chosen for question in part]


def model_agent(
    name: str,
    engine: SlotEngine,
    tokenizer: Tokenizer,
    protocol: AgentProtocol,
    tools: Tools,
    limits: AgentLimits,
    *,
    identity: Mapping[str, object],
    tool_schemas: Sequence[dict] = (),
    index_hash: str = "",
) -> Agent:
    """A token policy that runs in an engine's slots; ``identity`` names its checkpoint."""

    def roll_out(questions: Sequence[Question]) -> list[Trajectory]:
        episodes = (
            token_episode(
                question,
                tokenizer,
                protocol,
                limits,
                tool_schemas=tool_schemas,
                policy=name,
                index_hash=index_hash,
            )
            for question in questions
        )
        with console.bar(f"questions: {name}", len(questions)) as advance:
            finished = run_slots(episodes, engine, tools, advance)
        return [episode.trajectory for episode in finished]

    facts = {**identity, "limits": dataclasses.asdict(limits), "index": index_hash}
    return Agent(name=name, roll_out=roll_out, identity=facts)


def text_agent(
    name: str,
    factory: PolicyFactory,
    tools: Tools,
    limits: AgentLimits,
    *,
    identity: Mapping[str, object] | None = None,
    index_hash: str = "",
) -> Agent:
    """A text policy, one question after the other."""

    def roll_out(questions: Sequence[Question]) -> list[Trajectory]:
        return [
            run_sequential(
                text_episode(question, limits, policy=name, index_hash=index_hash),
                factory(question),
                tools,
            )
            for question in console.track(questions, f"questions: {name}")
        ]

    facts = {**(identity or {}), "max_turns": limits.max_turns, "index": index_hash}
    return Agent(name=name, roll_out=roll_out, identity=facts)


def baseline_agents(
    config: EvaluationConfig,
    tools: Tools,
    *,
    training: Sequence[Question],
    graph: KnowledgeGraph,
    expert: ExpertConfig,
    expert_seed: int = 0,
    max_turns: int = 24,
    index_hash: str = "",
) -> list[Agent]:
    """The baselines named in ``config``. They have turns enough: a cut-off would flatter us."""
    factories: dict[str, Callable[[], PolicyFactory]] = {
        "majority": lambda: baselines.majority(training),
        "top_hit": lambda: baselines.top_hit,
        "heuristic": lambda: baselines.heuristic,
        "oracle": lambda: baselines.oracle(graph, expert, seed=expert_seed),
    }
    limits = AgentLimits(max_turns=max_turns)
    identity = {
        "training": jsonl.content_hash(training),
        "graph": graph.content_hash,
        "expert": dataclasses.asdict(expert),
        "expert_seed": expert_seed,
    }
    return [
        text_agent(name, factories[name](), tools, limits, identity=identity, index_hash=index_hash)
        for name in config.baselines
    ]


def evaluate(
    agent: Agent, questions: Sequence[Question], grader: Grader, out: Path, *, seed: int = 0
) -> Summary:
    """Runs, grades and saves one agent under ``out/<agent>``, or reads what is there already.

    ``seed`` is the one its model was trained with, for the table over seeds.
    """
    folder = out / agent.name
    identity = _identity(agent, questions, grader, seed)
    if finished := _finished(folder, identity):
        return finished
    start = time.perf_counter()
    trajectories = agent.roll_out(questions)
    results = [grader(agent.name, settled(trajectory)) for trajectory in trajectories]
    summary = msgspec.structs.replace(
        metrics.summarize(agent.name, results, seed=seed),
        identity=identity,
        seconds=round(time.perf_counter() - start, 3),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).unlink(missing_ok=True)
    jsonl.write(folder / RESULTS, results)
    jsonl.write(folder / SUMMARY, [summary])
    return summary


def load_results(out: Path, agent: str = MODEL) -> list[Result]:
    """The graded rollouts of an evaluated agent. Raises ValueError when there are none."""
    return list(jsonl.read(out / agent / RESULTS, Result))


def load_summaries(out: Path) -> dict[str, Summary]:
    """The summaries of all agents evaluated under ``out``, by name."""
    found = (jsonl.read(path, Summary) for path in sorted(out.glob(f"*/{SUMMARY}")))
    return {summary.agent: summary for summaries in found for summary in summaries}


def _identity(agent: Agent, questions: Sequence[Question], grader: Grader, seed: int) -> str:
    facts = {
        "agent": agent.name,
        "setting": msgspec.to_builtins(dict(agent.identity)),
        "questions": jsonl.content_hash(questions),
        "unseen": [sorted(grader.unseen.fully), sorted(grader.unseen.entities)],
        "code": artifacts.code_version(*_CODE),
        "seed": seed,
    }
    return hashlib.sha256(jsonl.encode(facts)).hexdigest()[:16]


def _finished(folder: Path, identity: str) -> Summary | None:
    if not (folder / SUMMARY).is_file() or not (folder / RESULTS).is_file():
        return None
    (summary,) = jsonl.read(folder / SUMMARY, Summary)
    return summary if summary.identity == identity else None
