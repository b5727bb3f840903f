"""Which questions an iteration asks: by hops and rarity, towards what is sometimes answered.

Questions are kept in strata. Within one they come in a seeded order, epoch after epoch, so none
is skipped. Which stratum is next depends on the running share of right answers.
"""

import enum
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medr_jax.types import Question


class CurriculumName(enum.Enum):
    """``uniform``: each question equally often. ``success``: strata by p (1 - p)."""

    uniform = "uniform"
    success = "success"


@dataclass(kw_only=True, slots=True)
class CurriculumConfig:
    """How strata are chosen."""

    name: CurriculumName = CurriculumName.uniform
    by_rarity: bool = False  # strata by whether the seed disease is sparsely annotated, too
    momentum: float = 0.9  # of a stratum's running success rate, per iteration that asks of it
    floor: float = 0.05  # added to p (1 - p): no stratum is forgotten
    first_rate: float = 0.5  # success rate of a stratum that was never asked

    def __post_init__(self) -> None:
        for name in ("momentum", "first_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"rl.curriculum.{name}={getattr(self, name)}: must be between 0 and 1"
                )
        if not self.floor > 0:
            raise ValueError(f"rl.curriculum.floor={self.floor}: must be above 0")


def hops_stratum(question: Question) -> str:
    """By hop count alone."""
    return f"hops={question.num_hops}"


class Curriculum:
    """Gives out questions and learns from how they went. Its whole state is JSON."""

    def __init__(
        self,
        questions: Sequence[Question],
        config: CurriculumConfig,
        *,
        seed: int,
        stratum: Callable[[Question], str] = hops_stratum,
    ) -> None:
        """``stratum`` names a question's stratum, by what makes it hard.

        Raises:
            ValueError: there is no question, or two have the same id.
        """
        self._config = config
        self._seed = seed
        self._stratum = stratum
        self._strata: dict[str, list[Question]] = {}
        for question in sorted(questions, key=lambda question: question.question_id):
            self._strata.setdefault(stratum(question), []).append(question)
        ids = {question.question_id for question in questions}
        if not ids or len(ids) < len(questions):
            raise ValueError(
                f"{len(questions)} questions with {len(ids)} different ids; give one or more "
                "questions, each once"
            )
        self._given = dict.fromkeys(sorted(self._strata), 0)
        self._rates = dict.fromkeys(self._given, config.first_rate)
        self._num_draws = 0

    def draw(self, count: int) -> list[Question]:
        """The next ``count`` questions."""
        rng = np.random.default_rng([self._seed, self._num_draws])
        self._num_draws += 1
        names = list(self._given)
        weights = np.array([self._weight(name) for name in names])
        chosen = rng.choice(len(names), size=count, p=weights / weights.sum())
        return [self._next_of(names[index]) for index in chosen]

    def update(self, question: Question, success: float) -> None:
        """Tells the share of right answers to a question that was drawn."""
        name, momentum = self._stratum(question), self._config.momentum
        self._rates[name] = momentum * self._rates[name] + (1.0 - momentum) * success

    @property
    def rates(self) -> Mapping[str, float]:
        """Running success rate of each stratum."""
        return dict(self._rates)

    def get_state(self) -> dict[str, Any]:
        """JSON that ``set_state`` takes to go on from here."""
        return {"given": dict(self._given), "rates": dict(self._rates), "draws": self._num_draws}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes to where ``get_state`` was called.

        Raises:
            ValueError: the state is of other questions.
        """
        if set(state["given"]) != set(self._given):
            raise ValueError(
                f"the curriculum's state has the strata {sorted(state['given'])}, the questions "
                f"have {sorted(self._given)}; go on with the questions the run began with"
            )
        self._given = {name: int(state["given"][name]) for name in self._given}
        self._rates = {name: float(state["rates"][name]) for name in self._rates}
        self._num_draws = int(state["draws"])

    def _weight(self, name: str) -> float:
        share = float(len(self._strata[name]))
        if self._config.name is CurriculumName.uniform:
            return share
        rate = self._rates[name]
        return share * (rate * (1.0 - rate) + self._config.floor)

    def _next_of(self, name: str) -> Question:
        members, number = self._strata[name], self._given[name]
        self._given[name] += 1
        epoch, place = divmod(number, len(members))
        words = hashlib.sha256(f"{self._seed}:{name}:{epoch}".encode()).digest()
        order = np.random.default_rng(list(words)).permutation(len(members))
        return members[order[place]]
