"""Runs agents on held-out questions and grades what they did.

Each agent's results lie in a folder of their own, ``results.jsonl`` (a graded trajectory a
line) and ``summary.json``, which is written last: an agent that has one for the same questions
and the same setting is not run again. Until then each rollout is kept the moment it ends
(``kept.py``): a process that is killed loses those under way and nothing else.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from medr_jax import artifacts, console, jsonl
from medr_jax.agent.drivers import SlotEngine, Tools, run_sequential, run_slots
from medr_jax.agent.loop import AgentLimits, text_episode, token_episode
from medr_jax.eval import baselines, metrics
from medr_jax.eval.baselines import PolicyFactory
from medr_jax.eval.config import AGENTS, EMPTIED, MODEL, EvaluationConfig, select_questions
from medr_jax.eval.contamination import Unseen
from medr_jax.eval.kept import Keep, KeptRollouts, keeping
from medr_jax.eval.metrics import Result, Summary
from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tokens.protocol import AgentProtocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.trajectories.expert_config import ExpertConfig
from medr_jax.types import Question, Trajectory

__all__ = [
    "AGENTS",
    "EMPTIED",
    "MODEL",
    "Agent",
    "EvaluationConfig",
    "Grader",
    "baseline_agents",
    "document_text",
    "entity_names",
    "evaluate",
    "load_results",
    "load_summaries",
    "model_agent",
    "select_questions",
    "text_agent",
]

RESULTS, SUMMARY = "results.jsonl", "summary.json"
_CODE = (
    "medr_jax.agent",
    "medr_jax.eval.baselines",
    "medr_jax.eval.config",
    "medr_jax.eval.errors",
    "medr_jax.eval.evaluate",
    "medr_jax.eval.metrics",
    "medr_jax.eval.reading",
    "medr_jax.eval.statistics",
    "medr_jax.grading",
)
"""What results depend on; tables and pages can change without a new run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """Someone to evaluate. ``identity`` holds what its answers depend on, beside questions.

    ``roll_out`` may hand a trajectory to ``keep`` when it ends; it returns all.
    """

    name: str
    roll_out: Callable[[Sequence[Question], Keep], list[Trajectory]]
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

    def roll_out(questions: Sequence[Question], keep: Keep) -> list[Trajectory]:
        episodes = (
            keeping(
                token_episode(
                    question,
                    tokenizer,
                    protocol,
                    limits,
                    tool_schemas=tool_schemas,
                    policy=name,
                    index_hash=index_hash,
                ),
                lambda episode: keep(episode.trajectory),
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

    def roll_out(questions: Sequence[Question], keep: Keep) -> list[Trajectory]:
        return [
            run_sequential(
                keeping(text_episode(question, limits, policy=name, index_hash=index_hash), keep),
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
    identity: Mapping[str, object] | None = None,
    index_hash: str = "",
) -> list[Agent]:
    """The baselines named in ``config``. They have turns enough: a cut-off would flatter us.

    ``identity`` holds what else the results depend on, such as the setting of the tools.
    """
    factories: dict[str, Callable[[], PolicyFactory]] = {
        "majority": lambda: baselines.majority(training),
        "top_hit": lambda: baselines.top_hit,
        "heuristic": lambda: baselines.heuristic,
        "oracle": lambda: baselines.oracle(graph, expert, seed=expert_seed),
    }
    limits = AgentLimits(max_turns=max_turns)
    facts = {
        **(identity or {}),
        "training": jsonl.content_hash(training),
        "graph": graph.content_hash,
        "expert": dataclasses.asdict(expert),
        "expert_seed": expert_seed,
    }
    return [
        text_agent(name, factories[name](), tools, limits, identity=facts, index_hash=index_hash)
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
    kept = KeptRollouts(folder, identity)
    trajectories = kept.complete(questions, agent.roll_out)
    results = [grader(agent.name, _timeless(trajectory)) for trajectory in trajectories]
    summary = msgspec.structs.replace(
        metrics.summarize(agent.name, results, seed=seed),
        identity=identity,
        seconds=round(kept.seconds, 3),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).unlink(missing_ok=True)
    jsonl.write(folder / RESULTS, results)
    jsonl.write(folder / SUMMARY, [summary])
    kept.forget()
    return summary


def load_results(out: Path, agent: str = MODEL) -> list[Result]:
    """The graded rollouts of an evaluated agent. Raises ValueError when there are none."""
    return list(jsonl.read(out / agent / RESULTS, Result))


def load_summaries(out: Path) -> dict[str, Summary]:
    """The summaries of all agents evaluated under ``out``, by name."""
    found = (jsonl.read(path, Summary) for path in sorted(out.glob(f"*/{SUMMARY}")))
    return {summary.agent: summary for summaries in found for summary in summaries}


def _timeless(trajectory: Trajectory) -> Trajectory:
    """Without latencies: equal rollouts give equal bytes."""
    turns = []
    for turn in trajectory.turns:
        results = [msgspec.structs.replace(result, latency_ms=0.0) for result in turn.results]
        turns.append(msgspec.structs.replace(turn, results=tuple(results)))
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


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
