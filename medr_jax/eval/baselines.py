"""Agents to compare with. Each is a text policy and sees what the agent loop shows it.

- ``majority``: the most frequent training answer of the asked relation; no tools.
- ``top_hit``: one search with the whole question; answers from the best hit.
- ``heuristic``: chain-blind. Reads quotes and nouns off the question's text, searches the
  clues, takes the best hit and follows it step by step by what its snippet lists.
- ``oracle``: the scripted expert, which is given the chain.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import NamedTuple

from medr_jax.agent.drivers import TextPolicy
from medr_jax.agent.loop import NextTurn
from medr_jax.eval.reading import Move, Reading, Target, read_question
from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.retrieval import corpus
from medr_jax.retrieval.segments import MORE, without_counts
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.trajectories.briefing import brief
from medr_jax.trajectories.expert import EvidenceMissing, Expert, ExpertConfig
from medr_jax.types import Hit, Question, ToolCall, ToolResult

PolicyFactory = Callable[[Question], TextPolicy]
"""A policy for one episode."""

Steps = Generator[ParsedTurn, tuple[ToolResult, ...], None]

_SEGMENTS = {
    Target.GENE: corpus.GENES,
    Target.INHERITANCE: corpus.INHERITANCE,
    Target.ONSET: corpus.ONSET,
    Target.COURSE: corpus.COURSE,
    Target.PARENT: corpus.PARENTS,
    Target.DISEASE: corpus.DISEASES,
    Target.PHENOTYPE: corpus.OTHER_FINDINGS,
}
"""The segment of the current entity's document that lists the target."""

UNKNOWN = "unknown"
"""The answer of who found nothing; no entity has this name."""

_MAX_QUERY_WORDS = 40


def asked_relation(question: Question) -> str:
    """What the question asks for: the last hop's relation and direction, or the clues' kind."""
    if question.chain.hops:
        last = question.chain.hops[-1]
        return f"{last.relation}{' inverse' if last.inverse else ''}"
    return f"start {question.answer_kind}"


def majority(training: Iterable[Question]) -> PolicyFactory:
    """Answers with the relation's most frequent training answer; ties go to the first by name."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for question in training:
        answers[asked_relation(question)][question.answer] += 1
    best = {
        relation: min(counts, key=lambda answer: (-counts[answer], answer))
        for relation, counts in answers.items()
    }
    if not best:
        raise ValueError("the majority baseline needs training questions; there are none")

    def factory(question: Question) -> TextPolicy:
        guess = best.get(asked_relation(question), UNKNOWN)
        return lambda request: ParsedTurn(answer_text=guess)

    return factory


def top_hit(question: Question) -> TextPolicy:
    """Searches the question's own text once; answers what is asked for from the best hit."""

    def steps() -> Steps:
        (result,) = yield _search(question.text)
        reading = read_question(question.text)
        if not result.hits:
            yield _give_up()
            return
        best = result.hits[0]
        listed = _listed(best, reading.moves[-1]) if reading and reading.moves else []
        yield _answer(listed[0] if listed else best.title, best)

    return _in_order(steps())


def heuristic(question: Question) -> TextPolicy:
    """Follows the best hit from the clues on; knows the question's text only."""
    reading = read_question(question.text)
    return _in_order(_follow(reading) if reading else _guess(question.text))


def oracle(graph: KnowledgeGraph, config: ExpertConfig, *, seed: int = 0) -> PolicyFactory:
    """The scripted expert. Where the tools never show a step it answers "unknown"."""

    def factory(question: Question) -> TextPolicy:
        expert = Expert(question, brief(graph, question), config, seed=seed)

        def policy(request: NextTurn) -> ParsedTurn:
            try:
                return expert(request)
            except EvidenceMissing as missing:
                return _give_up(f"gave up: {missing}")

        return policy

    return factory


def _in_order(steps: Steps) -> TextPolicy:
    """A generator of turns as a policy; it gets each turn's results sent."""

    def policy(request: NextTurn) -> ParsedTurn:
        return steps.send(request.turns[-1].results if request.turns else None)

    return policy


def _guess(text: str) -> Steps:
    (result,) = yield _search(text)
    yield _answer(result.hits[0].title, result.hits[0]) if result.hits else _give_up()


class _Place(NamedTuple):
    """Where the heuristic agent has got to."""

    name: str
    kind: Target
    source: Hit | None = None  # the hit that led here


def _follow(reading: Reading) -> Steps:
    place: _Place | None = _Place(reading.gene, Target.GENE)
    if not reading.gene:
        (result,) = yield _search(" ".join(reading.clues))
        place = _best(result.hits, reading.start)
    passed: list[str] = []
    for move in reading.moves:
        if place is None:
            break
        passed.append(place.name)
        (result,) = yield _search(*_query(place, move))
        place = _step(result.hits, place, move, passed)
    yield _answer(place.name, place.source) if place else _give_up()


def _query(place: _Place, move: Move) -> tuple[str, str]:
    """(query, kind): the current entity's name and the segment that should list the target."""
    if _is_search_for_disease(place, move):
        return place.name, str(Target.DISEASE)
    return f"{place.name} {_label(move)}", ""


def _is_search_for_disease(place: _Place, move: Move) -> bool:
    """A gene's document lists its diseases; a phenotype's does not, so diseases are searched."""
    return move.target is Target.DISEASE and place.kind is not Target.GENE


def _step(hits: Sequence[Hit], place: _Place, move: Move, passed: Sequence[str]) -> _Place | None:
    """The target as the hits show it; failing that, the best hit itself."""
    if _is_search_for_disease(place, move):
        new = [hit for hit in hits if not match.matches(hit.title, passed)]
        return _best(new, Target.DISEASE)
    about = [hit for hit in hits if match.matches(hit.title, [place.name])] or list(hits[:1])
    for hit in about:
        for name in _listed(hit, move):
            if not (move.is_other and match.matches(name, passed)):
                return _Place(name, move.target, hit)
    return _best(about, move.target)


def _label(move: Move) -> str:
    return move.branch or _SEGMENTS[move.target]


def _listed(hit: Hit, move: Move) -> list[str]:
    """Items of the snippet's segment for the target, without counts."""
    label = _label(move)
    found = re.search(rf"(?:^|[.\s]){re.escape(label)}: (.*?)(?:\.(?=\s|$)|$)", hit.snippet, re.I)
    items = found[1].split(";") if found else []
    cleaned = [without_counts(item.strip()).removesuffix(MORE).strip() for item in items]
    return [item for item in cleaned if item]


def _best(hits: Sequence[Hit], wanted: Target) -> _Place | None:
    """The first hit of the wanted kind, else the first."""
    best = next((hit for hit in hits if hit.kind == wanted.value), hits[0] if hits else None)
    return _Place(best.title, wanted, best) if best else None


def _search(query: str, kind: str = "") -> ParsedTurn:
    arguments = {"query": " ".join(query.split()[:_MAX_QUERY_WORDS])}
    if kind:
        arguments["kind"] = kind
    return ParsedTurn(calls=(ToolCall(name="search", arguments=arguments),))


def _answer(text: str, source: Hit | None) -> ParsedTurn:
    return ParsedTurn(answer_text=text, cited_labels=(source.label,) if source else ())


def _give_up(thought: str = "") -> ParsedTurn:
    return ParsedTurn(thought=thought, answer_text=UNKNOWN)
