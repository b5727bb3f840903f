"""One question to an agent, its research shown as it happens, its answer with evidence or none."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rich.console
from rich.text import Text

from medr_jax.agent.chat import ChatPolicy
from medr_jax.agent.drivers import run_sequential, run_slots
from medr_jax.agent.loop import CallTools, text_episode, token_episode
from medr_jax.agent.watch import watched
from medr_jax.endpoint.client import Endpoint
from medr_jax.endpoint.config import say_where_data_go
from medr_jax.grading import match
from medr_jax.grading.evidence import shown_hits
from medr_jax.launch import diagnosis, stages
from medr_jax.retrieval import citations
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.tools.runtime import ToolRuntime, standard_tools
from medr_jax.trajectories import evidence
from medr_jax.types import Chain, Kind, Question, Status, Trajectory

NOTICE = "Research software over a closed set of documents. Not medical advice."
NO_EVIDENCE = "No answer: nothing that was found states one."
JUDGE = "The documents state this. Whether it answers the question is for you to judge."
WORDING = (
    "A model trained from scratch here knows only the wordings of its training questions; "
    "docs/ask.md shows some."
)
MAX_REFERENCES = 5
MAX_THOUGHT_CHARS = 600
MAX_QUESTION_CHARS = 2000

_QUOTED = re.compile(r'"([^"]+)"')


def ask(config: SimpleNamespace, out: rich.console.Console) -> Trajectory:
    """Answers ``config.question`` by the checkpoint or the endpoint that the config names.

    Raises:
        ValueError: no question, neither checkpoint nor endpoint, or both.
    """
    question = _question(config.question)
    if bool(config.checkpoint) == bool(config.endpoint.model):
        raise ValueError(
            "name who is asked: checkpoint=<training folder> or endpoint.model=<name>, not both"
        )
    if config.checkpoint:
        from medr_jax.sft.policy import read_description

        read_description(Path(config.checkpoint))  # a wrong folder is said before anything runs
    engine = stages.load_engine(stages.index(config))
    out.print(Text(NOTICE, style="bold yellow"))
    out.print(Text(question.text, style="bold"), "")
    sources = diagnosis.tool_sources(config, engine)
    with standard_tools(sources, config.tools, benchmark_sites=True) as tools:
        run = _by_endpoint if config.endpoint.model else _by_checkpoint
        trajectory = run(config, question, tools, out)
    _conclude(
        trajectory,
        engine,
        out,
        show_evidence=config.evidence,
        by_checkpoint=bool(config.checkpoint),
    )
    return trajectory


def _question(text: str) -> Question:
    """A question of nobody's making: without chain and gold answer."""
    text = " ".join(str(text or "").split())
    if not text or len(text) > MAX_QUESTION_CHARS:
        raise ValueError(
            f"the question has {len(text)} characters: give 1 to {MAX_QUESTION_CHARS}, as in "
            'python -m experiments.ask "Which gene is associated with Marfan syndrome?"'
        )
    return Question(
        question_id="asked",
        text=text,
        chain=Chain(clues=(), hops=(), seed_id=""),
        num_hops=0,
        answer="",
        answer_id="",
        answer_kind=Kind.DISEASE,
    )


def _by_endpoint(
    config: SimpleNamespace, question: Question, tools: ToolRuntime, out: rich.console.Console
) -> Trajectory:
    say_where_data_go(config.endpoint)
    with Endpoint(config.endpoint) as endpoint:
        policy = ChatPolicy(endpoint, tools.schemas())
        episode = text_episode(question, config.agent, policy=config.endpoint.model)
        return run_sequential(watched(episode, Narrator(out).see), policy, tools)


def _by_checkpoint(
    config: SimpleNamespace, question: Question, tools: ToolRuntime, out: rich.console.Console
) -> Trajectory:
    from medr_jax.sampling.engine import Engine
    from medr_jax.sft.policy import load_policy
    from medr_jax.sharding import make_mesh
    from medr_jax.training.compile_cache import enable_compile_cache

    enable_compile_cache(config.paths.compile_cache)
    policy = load_policy(Path(config.checkpoint), make_mesh(config.mesh))
    protocol, tokenizer = get_protocol(policy.protocol), policy.tokenizer
    sampler = Engine(
        policy.model,
        dataclasses.replace(config.sampling, num_slots=1, prefill_rows=1),
        mesh=policy.mesh,
        stop_ids=protocol.stop_ids(tokenizer),
        pad_id=protocol.pad_id(tokenizer),
    )
    episode = token_episode(
        question, tokenizer, protocol, config.agent, tool_schemas=tools.schemas()
    )
    narrator = Narrator(out, lambda sampled: protocol.parse(sampled.token_ids, tokenizer))
    (finished,) = run_slots([watched(episode, narrator.see)], sampler, tools)
    return finished.trajectory


class Narrator:
    """Prints an episode's exchanges. Text of documents and models is shown, never interpreted."""

    def __init__(self, out: rich.console.Console, parse=lambda turn: turn) -> None:
        self._out, self._parse = out, parse
        self._labels: dict[str, int] = {}

    def see(self, request: Any, reply: Any) -> None:
        """One exchange: what the model said, or what the tools answered."""
        lines = self._results(reply) if isinstance(request, CallTools) else self._turn(reply)
        for line, style in lines:
            self._out.print(Text(line, style=style))

    def _turn(self, reply: Any) -> Iterator[tuple[str, str]]:
        turn: ParsedTurn = self._parse(reply)
        if turn.thought:
            yield _shortened(turn.thought), "italic"
        for call in turn.calls:
            arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
            yield f"→ {call.name}({arguments})", "cyan"
        if turn.error:
            yield f"malformed: {turn.error}", "red"

    def _results(self, results: Any) -> Iterator[tuple[str, str]]:
        for result in results:
            for hit in result.hits:
                label = self._labels.setdefault(hit.doc_id, len(self._labels) + 1)
                yield f"  [{label}] {hit.title} ({hit.doc_id})", "green"
                if hit.snippet:
                    yield f"      {' '.join(hit.snippet.split())}", "dim"
            if not result.hits:
                style = "dim" if result.status is Status.OK else "red"
                yield f"  {result.text}", style


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_THOUGHT_CHARS else f"{text[:MAX_THOUGHT_CHARS]} ..."


def supported_by(trajectory: Trajectory) -> list[str]:
    """The cited documents whose shown text states the answer.

    None without an answer, and none when the question quotes words and nothing that was shown
    holds any of them: then the search was about something else.
    """
    answer = trajectory.answer
    if trajectory.status is not Status.OK or answer is None:
        return []
    seen = list(evidence.seen(trajectory))
    quoted = _QUOTED.findall(trajectory.question.text)
    if quoted and not any(match.mentions(text, quoted) for _, text in seen):
        return []
    stating = {doc_id for doc_id, text in seen if match.mentions(text, [answer.text])}
    return [doc_id for doc_id in answer.citations if doc_id in stating]


def not_found(trajectory: Trajectory, engine: SearchEngine) -> list[str]:
    """What the question quotes and no document that was found holds, read whole."""
    found = dict.fromkeys(hit.doc_id for hit in shown_hits(trajectory))
    documents = filter(None, map(engine.document, found))
    texts = [text for _, text in evidence.seen(trajectory)]
    texts += ["\n".join((one.title, *one.synonyms, *one.segments, "")) for one in documents]
    return [
        quoted
        for quoted in _QUOTED.findall(trajectory.question.text)
        if not any(match.mentions(text, [quoted]) for text in texts)
    ]


def as_written(trajectory: Trajectory, cited: Sequence[str]) -> str:
    """The answer in the documents' spelling, with an identifier where a shown one is about it.

    A small model writes names in its tokenizer's way: "lichtenstein - knorr syndrome".
    """
    assert trajectory.answer is not None
    words = match.words(trajectory.answer.text)
    for hit in shown_hits(trajectory):
        if match.words(hit.title) == words:
            return f"{hit.title} ({hit.doc_id})"
    spelled = re.compile(
        r"(?<![^\W_])" + r"[\W_]*".join(map(re.escape, words)) + r"(?![^\W_])", re.I
    )
    for doc_id, text in evidence.seen(trajectory):
        if doc_id in cited and (found := spelled.search(text)):
            return found[0]
    return trajectory.answer.text


def _conclude(
    trajectory: Trajectory,
    engine: SearchEngine,
    out: rich.console.Console,
    *,
    show_evidence: bool,
    by_checkpoint: bool,
) -> None:
    cited = supported_by(trajectory)
    out.print()
    if not cited:
        out.print(Text(NO_EVIDENCE, style="bold red"))
        out.print(Text(f"({_why(trajectory)})", style="dim"))
        if by_checkpoint and trajectory.status in (Status.MODEL_ERROR, Status.TRUNCATED):
            out.print(Text(WORDING, style="dim"))
    else:
        assert trajectory.answer is not None
        out.print(Text(f"Answer: {as_written(trajectory, cited)}", style="bold green"))
        for doc_id in cited:
            _cite(engine, doc_id, trajectory, out, show_evidence)
        if missing := not_found(trajectory, engine):
            quoted = ", ".join(f'"{one}"' for one in missing)
            out.print(Text(f"Beware: nothing that was found speaks of {quoted}.", style="yellow"))
        out.print(Text(JUDGE, style="dim"))
        if not show_evidence:
            out.print(Text("The whole documents: evidence=true", style="dim"))
    out.print(Text(NOTICE, style="bold yellow"))


def _why(trajectory: Trajectory) -> str:
    if trajectory.answer is not None:
        return (
            "the agent proposed an answer, but no document that it cites and saw states it, or "
            "nothing that it saw is about what the question quotes"
        )
    return f"the agent ended with {trajectory.status}: {trajectory.error}"


def _cite(
    engine: SearchEngine,
    doc_id: str,
    trajectory: Trajectory,
    out: rich.console.Console,
    whole: bool,
) -> None:
    document = engine.document(doc_id)
    assert document is not None and trajectory.answer is not None, "the search showed it"
    asked = _QUOTED.findall(trajectory.question.text)
    found = list(citations.citations(document, trajectory.answer.text, asked))
    named = [one for one in found if one.kind is citations.CitationKind.PUBLICATION_ID]
    for one in found:
        if one not in named:
            out.print(Text(f"  {one.kind}  {one.identifier}  {one.title}"))
            out.print(Text(f"      {one.statement}", style="dim"))
    for one in named[:MAX_REFERENCES]:
        out.print(Text(f"  {one.kind}  {one.identifier}  (named by the record, not read here)"))
    if len(named) > MAX_REFERENCES:
        out.print(Text(f"  and {len(named) - MAX_REFERENCES} more publications", style="dim"))
    if whole:
        out.print(Text("\n".join(("", document.title, *document.segments, "")), style="dim"))
