"""Which of the verified questions make the set: shares of hops, answer kinds and starts."""

import collections
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from medr_jax.questions.compose import start_of
from medr_jax.questions.config import QuestionConfig
from medr_jax.types import OPEN_KINDS, Hop, Question

K = TypeVar("K", bound=Hashable)
Level = tuple[Callable[[Question], object], Mapping[str, float] | None]
"""What questions are grouped by, and the groups' weights; None = equal ones."""
_FIRST_CLOSED = {"clues": 2, "gene": 2, "definition": 3}  # hops from a start to a mode or onset
_MARGIN = 2  # questions gathered per question wanted


def allocate(total: int, weights: Mapping[K, float], supply: Mapping[K, int]) -> dict[K, int]:
    """``total`` shared out by ``weights``, nobody above his supply, leftovers shared again.

    Largest remainders get the odd ones, ties in order of ``weights``. The sum is ``total`` or
    all that the supply allows.
    """
    given = dict.fromkeys(weights, 0)
    open_keys = [key for key, weight in weights.items() if weight > 0 and supply.get(key, 0) > 0]
    left = min(total, sum(supply[key] for key in open_keys))
    while left and open_keys:
        scale = left / math.fsum(weights[key] for key in open_keys)
        exact = {key: scale * weights[key] for key in open_keys}
        full = [key for key in open_keys if given[key] + exact[key] >= supply[key]]
        if not full:
            floors = {key: int(exact[key]) for key in open_keys}
            odd = left - sum(floors.values())
            by_remainder = sorted(open_keys, key=lambda key: floors[key] - exact[key])
            for key in open_keys:
                given[key] += floors[key] + (key in by_remainder[:odd])
            break
        for key in full:
            left -= supply[key] - given[key]
            given[key] = supply[key]
        open_keys = [key for key in open_keys if key not in full]
    return given


class Cell(NamedTuple):
    """What questions are gathered by before the mixture is chosen."""

    num_hops: int
    is_open: bool
    start: str


class Pool:
    """Gathers the questions of seeds, in the seeds' order, until there is enough to choose from.

    A cell closes, at the end of a batch of seeds, when it holds ``_MARGIN`` times its own share
    in different chains, and so do all cells of its hop count and answer class together; a
    closed cell takes no more. What is gathered depends on the order of the seeds alone.
    """

    def __init__(self, config: QuestionConfig, split: str) -> None:
        self.questions: list[Question] = []
        self._sizes: collections.Counter[Cell] = collections.Counter()
        self._chains: set[tuple[str, tuple[Hop, ...]]] = set()
        self._wanted: dict[Cell, float] = {}
        starts_total = math.fsum(config.start_weights.values())
        for num_hops, size in enumerate(config.sizes_by_hops(split), start=1):
            for is_open, share in ((True, 1.0), (False, 1 - config.open_answer_share)):
                for start, weight in config.start_weights.items():
                    if not is_open and num_hops < _FIRST_CLOSED[start]:
                        continue
                    wanted = _MARGIN * size * share * weight / starts_total
                    self._wanted[Cell(num_hops, is_open, start)] = wanted
        self.closed = frozenset(cell for cell, wanted in self._wanted.items() if wanted == 0)

    @property
    def is_full(self) -> bool:
        """Whether every cell is closed."""
        return len(self.closed) == len(self._wanted)

    def add(self, questions: Iterable[Question]) -> None:
        """Takes those questions of a seed whose cells are not closed."""
        for question in questions:
            cell = cell_of(question)
            if cell in self._wanted and cell not in self.closed:
                chain = chain_of(question)
                self._sizes[cell] += chain not in self._chains
                self._chains.add(chain)
                self.questions.append(question)

    def end_batch(self) -> None:
        """Closes the cells that have enough."""
        have: collections.Counter[tuple[int, bool]] = collections.Counter()
        want: collections.Counter[tuple[int, bool]] = collections.Counter()
        for cell, wanted in self._wanted.items():
            have[cell[:2]] += self._sizes[cell]
            want[cell[:2]] += wanted
        self.closed |= {
            cell
            for cell, wanted in self._wanted.items()
            if self._sizes[cell] >= wanted and have[cell[:2]] >= want[cell[:2]]
        }


def cell_of(question: Question) -> Cell:
    """The cell that a question is gathered in."""
    is_open = question.answer_kind in OPEN_KINDS
    return Cell(question.num_hops, is_open, start_of(question.chain))


def chain_of(question: Question) -> tuple[str, tuple[Hop, ...]]:
    """Where a question starts and which hops it takes, whatever its clues are."""
    return question.chain.seed_id, question.chain.hops


def select(
    questions: Iterable[Question], config: QuestionConfig, split: str, rank: Mapping[str, int]
) -> list[Question]:
    """The questions of a split, or as many as the shares allow, in order of question id.

    Hop counts get their weights; at every hop count at least ``open_answer_share`` of the
    answers are open-class. Of either class, starts get their weights, then answer kinds and
    sequences of relations equal shares. Seeds that come first in ``rank`` are preferred, every
    seed's first question before any second. Closed-class answers are taken evenly over values,
    so that none can be guessed.
    """
    by_hops: dict[int, dict[bool, list[Question]]] = {}
    for question in questions:
        if config.start_weights.get(start_of(question.chain), 0.0) > 0:
            by_class = by_hops.setdefault(question.num_hops, {True: [], False: []})
            by_class[question.answer_kind in OPEN_KINDS].append(question)
    weights = dict(enumerate(config.hop_weights, start=1))
    supply = {hops: _usable(found, config.open_answer_share) for hops, found in by_hops.items()}
    levels = (
        (lambda one: start_of(one.chain), config.start_weights),
        (lambda one: one.answer_kind, None),
        (lambda one: one.proof["forms"], None),
    )
    chosen: list[Question] = []
    for hops, wanted in allocate(config.size(split), weights, supply).items():
        if wanted:
            found = by_hops[hops]
            closed = min(int(wanted * (1 - config.open_answer_share)), len(found[False]))
            num_open = min(wanted - closed, len(found[True]))
            for is_open, number in ((True, num_open), (False, wanted - num_open)):
                tiers = [found[is_open]] if split == "train" else _tiers(found[is_open])
                for tier in tiers:
                    share = min(number, len(tier))
                    chosen += _spread(tier, share, levels, rank)
                    number -= share
    return sorted(chosen, key=lambda question: question.question_id)


def _usable(by_class: Mapping[bool, Sequence[Question]], open_share: float) -> int:
    """Questions of one hop count that keep the open-class share."""
    num_open, num_closed = len(by_class[True]), len(by_class[False])
    if open_share == 0:
        return num_open + num_closed
    return num_open + min(num_closed, int(num_open * (1 - open_share) / open_share))


def _tiers(questions: Iterable[Question]) -> list[list[Question]]:
    """The first question of every chain, the second of every chain that has one, ..."""
    tiers: list[list[Question]] = []
    chains: collections.Counter[object] = collections.Counter()
    for question in sorted(questions, key=lambda one: one.question_id):
        chain = chain_of(question)
        if chains[chain] == len(tiers):
            tiers.append([])
        tiers[chains[chain]].append(question)
        chains[chain] += 1
    return tiers


def _spread(
    questions: Sequence[Question], number: int, levels: Sequence[Level], rank: Mapping[str, int]
) -> list[Question]:
    """``number`` questions, shared out over the groups of each level in turn."""
    if not levels:
        return _first(questions, number, rank)
    (key, weights), *rest = levels
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(str(key(question)), []).append(question)
    sizes = {group: len(groups[group]) for group in sorted(groups)}
    shares = {group: 1.0 if weights is None else weights[group] for group in sizes}
    chosen: list[Question] = []
    for group, share in allocate(number, shares, sizes).items():
        chosen += _spread(groups[group], share, rest, rank)
    return chosen


def _first(questions: Sequence[Question], number: int, rank: Mapping[str, int]) -> list[Question]:
    """The ``number`` questions that come first, round after round over seeds or values."""
    ordered = sorted(questions, key=lambda one: (rank[one.chain.seed_id], one.question_id))
    rounds: collections.Counter[str] = collections.Counter()
    keyed = []
    for position, question in enumerate(ordered):
        is_open = question.answer_kind in OPEN_KINDS
        group = question.chain.seed_id if is_open else question.answer_id
        keyed.append((rounds[group], position))
        rounds[group] += 1
    return [ordered[position] for _, position in sorted(keyed)[:number]]
