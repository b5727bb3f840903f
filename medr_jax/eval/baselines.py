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
from medr_jax.trajectories.expert import EvidenceMissing, Expert
from medr_jax.trajectories.expert_config import ExpertConfig
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
        (result,) = yield search_turn(question.text)
        reading = read_question(question.text)
        if not result.hits:
            yield give_up_turn()
            return
        best = result.hits[0]
        items = listed(best, reading.moves[-1]) if reading and reading.moves else []
        yield answer_turn(items[0] if items else best.title, best)

    return in_order(steps())


def heuristic(question: Question) -> TextPolicy:
    """Follows the best hit from the clues on; knows the question's text only."""
    reading = read_question(question.text)
    return in_order(follow(reading) if reading else guess_from_hits(question.text))


def oracle(graph: KnowledgeGraph, config: ExpertConfig, *, seed: int = 0) -> PolicyFactory:
    """The scripted expert. Where the tools never show a step it answers "unknown"."""

    def factory(question: Question) -> TextPolicy:
        expert = Expert(question, brief(graph, question), config, seed=seed)

        def policy(request: NextTurn) -> ParsedTurn:
            try:
                return expert(request)
            except EvidenceMissing as missing:
                return give_up_turn(f"gave up: {missing}")

        return policy

    return factory


def in_order(steps: Steps) -> TextPolicy:
    """A generator of turns as a policy; it gets each turn's results sent."""

    def policy(request: NextTurn) -> ParsedTurn:
        return steps.send(request.turns[-1].results if request.turns else None)

    return policy


def guess_from_hits(text: str) -> Steps:
    """One search with the text, whose best hit is the answer."""
    (result,) = yield search_turn(text)
    yield answer_turn(result.hits[0].title, result.hits[0]) if result.hits else give_up_turn()


class Place(NamedTuple):
    """Where an agent has got to."""

    name: str
    kind: Target
    source: Hit | None = None  # the hit that led here


def follow(reading: Reading) -> Steps:
    """Goes from the best hit for the clues to the best hit for each move; never looks back."""
    place: Place | None = Place(reading.gene, Target.GENE)
    if not reading.gene:
        (result,) = yield search_turn(" ".join(reading.clues))
        place = best_hit(result.hits, reading.start)
    passed: list[str] = []
    for move in reading.moves:
        if place is None:
            break
        passed.append(place.name)
        (result,) = yield search_turn(*query_of(place, move))
        place = _step(result.hits, place, move, passed)
    yield answer_turn(place.name, place.source) if place else give_up_turn()


def query_of(place: Place, move: Move) -> tuple[str, str]:
    """(query, kind): the current entity's name and the segment that should list the target."""
    if searches_for_disease(place, move):
        return place.name, str(Target.DISEASE)
    return f"{place.name} {segment_label(move)}", ""


def searches_for_disease(place: Place, move: Move) -> bool:
    """A gene's document lists its diseases; a phenotype's does not, so diseases are searched."""
    return move.target is Target.DISEASE and place.kind is not Target.GENE


def _step(hits: Sequence[Hit], place: Place, move: Move, passed: Sequence[str]) -> Place | None:
    """The target as the hits show it; failing that, the best hit itself."""
    if searches_for_disease(place, move):
        new = [hit for hit in hits if not match.matches(hit.title, passed)]
        return best_hit(new, Target.DISEASE)
    about = [hit for hit in hits if match.matches(hit.title, [place.name])] or list(hits[:1])
    for hit in about:
        for name in listed(hit, move):
            if not (move.is_other and match.matches(name, passed)):
                return Place(name, move.target, hit)
    return best_hit(about, move.target)


def segment_label(move: Move) -> str:
    """Of the segment that lists what the move leads to."""
    return move.branch or _SEGMENTS[move.target]


def listed(hit: Hit, move: Move) -> list[str]:
    """Items of the snippet's segment for the target, without counts."""
    label = segment_label(move)
    found = re.search(rf"(?:^|[.\s]){re.escape(label)}: (.*?)(?:\.(?=\s|$)|$)", hit.snippet, re.I)
    items = found[1].split(";") if found else []
    cleaned = [without_counts(item.strip()).removesuffix(MORE).strip() for item in items]
    return [item for item in cleaned if item]


def best_hit(hits: Sequence[Hit], wanted: Target) -> Place | None:
    """The first hit of the wanted kind, else the first."""
    best = next((hit for hit in hits if hit.kind == wanted.value), hits[0] if hits else None)
    return Place(best.title, wanted, best) if best else None


def search_turn(query: str, kind: str = "") -> ParsedTurn:
    """A turn that searches; long queries are cut."""
    arguments = {"query": " ".join(query.split()[:_MAX_QUERY_WORDS])}
    if kind:
        arguments["kind"] = kind
    return ParsedTurn(calls=(ToolCall(name="search", arguments=arguments),))


def answer_turn(text: str, source: Hit | None) -> ParsedTurn:
    """A turn that answers and cites the hit that says so."""
    return ParsedTurn(answer_text=text, cited_labels=(source.label,) if source else ())


def give_up_turn(thought: str = "") -> ParsedTurn:
    """A turn that answers with ``UNKNOWN``."""
    return ParsedTurn(thought=thought, answer_text=UNKNOWN)
