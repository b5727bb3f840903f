"""Stronger agents for the ladder of difficulty. Like the baselines they see no chain.

- ``two_shot``: two searches and whatever their hits show.
- ``chain_blind``: searches without limit, keeps several candidates for every step, checks them
  against the clues and goes back when a step is not shown or not unique.
"""

import itertools
from collections.abc import Generator, Sequence
from typing import TypeVar

from medr_jax.agent.drivers import TextPolicy
from medr_jax.eval import baselines
from medr_jax.eval.baselines import Place, Steps
from medr_jax.eval.reading import Move, Reading, Target, read_question
from medr_jax.grading import match
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.trajectories.evidence import hit_text
from medr_jax.types import Hit, Question, Status, ToolCall, ToolResult

T = TypeVar("T")
Asking = Generator[ParsedTurn, tuple[ToolResult, ...], T]
"""Turns that end in a value."""

MAX_TURNS = 400
"""Of the chain-blind agent: so many that no question comes near it."""

_CANDIDATES = 3  # names tried for a clue that is said in other words
_TRIES = 9  # combinations of them
_READS = 3  # hits that are read because their snippets do not show all clues
_KINDS = {Target.DISEASE: "disease", Target.GENE: "gene", Target.PHENOTYPE: "phenotype"}


def two_shot(question: Question) -> TextPolicy:
    """Two searches: one for the clues, one for the first step that its hits do not show."""
    reading = read_question(question.text)
    if reading is None:
        return baselines.in_order(baselines.guess_from_hits(question.text))
    return baselines.in_order(_two_searches(reading))


def chain_blind(question: Question) -> TextPolicy:
    """Searches as long as it takes; knows the question's text only."""
    reading = read_question(question.text)
    if reading is None:
        return baselines.in_order(baselines.guess_from_hits(question.text))
    return baselines.in_order(_Seeker(reading).steps())


def _two_searches(reading: Reading) -> Steps:
    place: Place | None = Place(reading.gene, Target.GENE)
    hits: list[Hit] = []
    left = 2
    if not reading.gene:
        (result,) = yield baselines.search_turn(" ".join(reading.clues))
        hits += result.hits
        left -= 1
        place = _stating(hits, reading) or baselines.best_hit(hits, reading.start)
    moves, passed = list(reading.moves), []
    while place is not None:
        while moves and (onward := _shown(hits, place, moves[0], passed)):
            passed.append(place.name)
            place = onward
            moves.pop(0)
        if not moves or not left:
            break
        (result,) = yield baselines.search_turn(*baselines.query_of(place, moves[0]))
        hits += result.hits
        left -= 1
    if left and not reading.moves:  # one hop: the second search is among diseases only
        query = ", ".join(reading.clues)
        (result,) = yield baselines.search_turn(query, _KINDS[reading.start])
        place = _stating([*hits, *result.hits], reading) or place
    if place is not None and moves:
        place = _guess(hits, moves[-1]) or place
    yield _answer(place)


def _answer(place: Place | None) -> ParsedTurn:
    return baselines.answer_turn(place.name, place.source) if place else baselines.give_up_turn()


def _stating(hits: Sequence[Hit], reading: Reading) -> Place | None:
    """The first hit of the start's kind that states every clue in the question's words."""
    for hit in hits:
        fits = hit.kind == _KINDS.get(reading.start)
        if fits and all(match.mentions(hit_text(hit), [clue]) for clue in reading.clues):
            return Place(hit.title, reading.start, hit)
    return None


def _guess(hits: Sequence[Hit], move: Move) -> Place | None:
    """Anything that a hit lists where the move's answer would stand."""
    for hit in hits:
        for name in baselines.listed(hit, move):
            return Place(name, move.target, hit)
    return None


def _shown(hits: Sequence[Hit], place: Place, move: Move, passed: Sequence[str]) -> Place | None:
    """Where the move leads, if the hits show it."""
    found = _targets(hits, place, move, passed)
    return found[0] if len(found) == 1 else None


def _targets(hits: Sequence[Hit], place: Place, move: Move, passed: Sequence[str]) -> list[Place]:
    """Everything that the hits state the move to lead to, what was passed left out."""
    found: dict[str, Place] = {}
    for hit in hits:
        if baselines.searches_for_disease(place, move):
            states = hit.kind == "disease" and match.mentions(hit_text(hit), [place.name])
            names = [hit.title] if states else []
        else:
            about = match.matches(hit.title, [place.name])
            names = baselines.listed(hit, move) if about else []
        for name in names:
            if not match.matches(name, [*passed, place.name]):
                found.setdefault(match.normalize(name), Place(name, move.target, hit))
    return list(found.values())


class _Seeker:
    """One question's search, depth first over candidates."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._asked: dict[tuple[str, str], tuple[Hit, ...]] = {}

    def steps(self) -> Steps:
        """The first way along which every step is shown and unique; else the plain walk."""
        for start in (yield from self._starts()):
            if (end := (yield from self._walk(start, 0, ()))) is not None:
                yield _answer(end)
                return
        yield from baselines.follow(self._reading)

    def _walk(self, place: Place, depth: int, passed: tuple[str, ...]) -> Asking[Place | None]:
        if depth == len(self._reading.moves):
            return place
        for onward in (yield from self._onward(place, self._reading.moves[depth], passed)):
            end = yield from self._walk(onward, depth + 1, (*passed, place.name))
            if end is not None:
                return end
        return None

    def _onward(self, place: Place, move: Move, passed: tuple[str, ...]) -> Asking[list[Place]]:
        """Candidates for the next place: several diseases at most, anything else only if unique."""
        if baselines.searches_for_disease(place, move):
            hits = yield from self._search(place.name, "disease")
            return _targets(hits, place, move, passed)
        query, _ = baselines.query_of(place, move)
        for kind in (_KINDS.get(place.kind, ""), ""):
            hits = yield from self._search(query, kind)
            found = _targets(hits, place, move, passed)
            if found:
                return found if len(found) == 1 else []
        return []

    def _starts(self) -> Asking[list[Place]]:
        reading = self._reading
        if reading.gene:
            return [Place(reading.gene, Target.GENE)]
        kind = _KINDS.get(reading.start, "")
        if reading.start is Target.PHENOTYPE:
            hits = yield from self._search(" ".join(reading.clues), kind)
            return [Place(hit.title, reading.start, hit) for hit in hits]
        named = []
        for clue in reading.clues:
            named.append((yield from self._names(clue)))
        sure: dict[str, Place] = {}
        unsure: dict[str, Place] = {}
        for names in itertools.islice(itertools.product(*named), _TRIES):
            hits = yield from self._search(", ".join(names), kind)
            for rank, hit in enumerate(hits):
                states = _states(hit_text(hit), names)
                if not states and rank < _READS:
                    states = _states((yield from self._read(hit)), names)
                group = sure if states else unsure
                group.setdefault(hit.doc_id, Place(hit.title, reading.start, hit))
        return [*sure.values(), *(one for key, one in unsure.items() if key not in sure)]

    def _names(self, clue: str) -> Asking[list[str]]:
        """Names that a quoted clue may stand for: itself, or of the phenotypes found by it."""
        hits = yield from self._search(clue, "phenotype")
        if any(match.matches(hit.title, [clue]) for hit in hits):
            return [clue]
        return [hit.title for hit in hits[:_CANDIDATES]] or [clue]

    def _search(self, query: str, kind: str) -> Asking[tuple[Hit, ...]]:
        """Hits; nothing is searched twice."""
        if (query, kind) not in self._asked:
            (result,) = yield baselines.search_turn(query, kind)
            self._asked[query, kind] = result.hits
        return self._asked[query, kind]

    def _read(self, hit: Hit) -> Asking[str]:
        """The text of a hit's document."""
        if ("", hit.doc_id) not in self._asked:
            call = ToolCall(name="read", arguments={"doc_id": hit.doc_id})
            (result,) = yield ParsedTurn(calls=(call,))
            self._asked["", hit.doc_id] = result.hits if result.status is Status.OK else ()
        return " ".join(map(hit_text, self._asked["", hit.doc_id]))


def _states(text: str, names: Sequence[str]) -> bool:
    return all(match.mentions(text, [name]) for name in names)
