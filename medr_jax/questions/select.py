"""Which of the verified questions make the set: shares of hops, answer kinds and starts."""

import collections
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from medr_jax.questions.compose import start_of
from medr_jax.questions.config import QuestionConfig
from medr_jax.types import OPEN_KINDS, Kind, Question

K = TypeVar("K", bound=Hashable)


def allocate(total: int, weights: Mapping[K, float], supply: Mapping[K, int]) -> dict[K, int]:
    """``total`` shared out by ``weights``, nobody above his supply, leftovers shared again.

    Largest remainders get the odd ones, ties in order of ``weights``. The sum is ``total`` or
    all that the supply allows.
    """
    given = dict.fromkeys(weights, 0)
    open_keys = [key for key, weight in weights.items() if weight > 0 and supply.get(key, 0) > 0]
    left = min(total, sum(supply[key] for key in open_keys))
    while left and open_keys:
        scale = left / sum(weights[key] for key in open_keys)
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


def select(
    questions: Iterable[Question], total: int, config: QuestionConfig, rank: Mapping[str, int]
) -> list[Question]:
    """``total`` questions, or as many as the shares allow, in order of question id.

    Hop counts get their weights; at every hop count at least ``open_answer_share`` of the
    answers are open-class, evenly over kinds; within a kind, starts get their weights. Seeds
    that come first in ``rank`` are preferred, every seed's first question before any second.
    Closed-class answers are taken evenly over values, so that none can be guessed.
    """
    cells: dict[int, dict[Kind, dict[str, list[Question]]]] = {}
    for question in questions:
        by_kind = cells.setdefault(question.num_hops, {})
        by_start = by_kind.setdefault(question.answer_kind, {})
        by_start.setdefault(start_of(question.chain), []).append(question)
    supply = {hops: _supply(by_kind, config) for hops, by_kind in cells.items()}
    weights = {hops: weight for hops, weight in enumerate(config.hop_weights, start=1)}
    chosen: list[Question] = []
    for hops, wanted in allocate(total, weights, supply).items():
        by_kind = cells.get(hops, {})
        for kind, number in _by_kind(wanted, by_kind, config).items():
            by_start = by_kind[kind]
            sizes = {start: len(found) for start, found in sorted(by_start.items())}
            starts = {start: config.start_weights.get(start, 0.0) for start in sizes}
            for start, share in allocate(number, starts, sizes).items():
                chosen += _first(by_start[start], share, kind, rank)
    return sorted(chosen, key=lambda question: question.question_id)


def _sizes(by_kind: Mapping[Kind, Mapping[str, Sequence[Question]]], config: QuestionConfig):
    """Usable questions of each kind, in order of kind."""
    return {
        kind: sum(
            len(found)
            for start, found in by_kind[kind].items()
            if config.start_weights.get(start, 0.0) > 0
        )
        for kind in sorted(by_kind)
    }


def _supply(by_kind, config: QuestionConfig) -> int:
    """Questions of one hop count that keep the open-class share."""
    sizes = _sizes(by_kind, config)
    num_open = sum(size for kind, size in sizes.items() if kind in OPEN_KINDS)
    num_closed = sum(sizes.values()) - num_open
    share = config.open_answer_share
    return num_open + (
        min(num_closed, int(num_open * (1 - share) / share)) if share else num_closed
    )


def _by_kind(wanted: int, by_kind, config: QuestionConfig) -> dict[Kind, int]:
    """How many answers of each kind among ``wanted`` questions of one hop count."""
    sizes = _sizes(by_kind, config)
    open_sizes = {kind: size for kind, size in sizes.items() if kind in OPEN_KINDS}
    closed_sizes = {kind: size for kind, size in sizes.items() if kind not in OPEN_KINDS}
    closed = int(wanted * (1 - config.open_answer_share))
    closed = min(closed, sum(closed_sizes.values()))
    num_open = min(wanted - closed, sum(open_sizes.values()))
    return {
        **allocate(num_open, dict.fromkeys(open_sizes, 1.0), open_sizes),
        **allocate(wanted - num_open, dict.fromkeys(closed_sizes, 1.0), closed_sizes),
    }


def _first(
    found: Sequence[Question], number: int, kind: Kind, rank: Mapping[str, int]
) -> list[Question]:
    """The ``number`` questions that come first, round after round over seeds or values."""
    ordered = sorted(found, key=lambda one: (rank[one.chain.seed_id], one.question_id))
    rounds: collections.Counter[str] = collections.Counter()
    keyed = []
    for position, question in enumerate(ordered):
        group = question.chain.seed_id if kind in OPEN_KINDS else question.answer_id
        keyed.append((rounds[group], position))
        rounds[group] += 1
    return [ordered[position] for _, position in sorted(keyed)[:number]]
