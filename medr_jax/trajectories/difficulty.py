"""Which questions are hard enough: the paper's rule over a measured ladder of solvers.

The paper keeps what strong solvers answer less than half of the time. ``measure_difficulty`` lets a
ladder of solvers answer every question and writes a line for each; synthesis with that file then
drops what the chosen solvers answer too often.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medr_jax import jsonl
from medr_jax.types import Question, Record

FILE = "difficulty.jsonl"


class Measured(Record):
    """How a question fared; a line of difficulty.jsonl."""

    question_id: str
    split: str
    num_hops: int
    answer_kind: str
    solved: dict[str, float]  # solver -> share of its tries that were right


@dataclass(kw_only=True, slots=True)
class DifficultyConfig:
    """Which questions are dropped for being too easy; none unless ``measured`` is given."""

    measured: str = ""
    """A difficulty.jsonl of these questions, made by measure_difficulty."""
    solvers: list[str] = field(default_factory=lambda: ["two_shot"])
    """Whose answers count as those of a strong solver."""
    below: float = 0.5  # paper: answered less than half of the time
    """Kept: questions that these solvers answer, on average, less often than this."""

    def __post_init__(self) -> None:
        if not self.solvers:
            raise ValueError("difficulty.solvers=[]: name one at least, such as two_shot")
        if not 0 < self.below <= 1:
            raise ValueError(f"difficulty.below={self.below}: give a share above 0, at most 1")


class Difficulty:
    """What was measured, ready to be asked.

    Raises:
        ValueError: no such file, a bad line, or a solver that it has no answers of.
    """

    def __init__(self, config: DifficultyConfig) -> None:
        self._config = config
        self._rates: dict[str, float] = {}
        if not config.measured:
            return
        for line in jsonl.read(Path(config.measured), Measured):
            if missing := [name for name in config.solvers if name not in line.solved]:
                raise ValueError(
                    f"{config.measured}: no answers of {', '.join(missing)}; it has "
                    f"{', '.join(sorted(line.solved))}: set difficulty.solvers"
                )
            self._rates[line.question_id] = solve_rate(line.solved, config.solvers)

    def is_too_easy(self, question: Question) -> bool:
        """Whether the solvers answer it too often; never, where no measurement is configured.

        Raises:
            ValueError: the question was not measured.
        """
        if not self._config.measured:
            return False
        if question.question_id not in self._rates:
            raise ValueError(
                f"{self._config.measured}: question {question.question_id} ({question.split}) is "
                "not in it; measure all splits of the set that the same config makes without "
                "synthesis.difficulty.measured"
            )
        return self._rates[question.question_id] >= self._config.below

    @property
    def facts(self) -> dict[str, str]:
        """The rule in words, for the card; empty when there is none."""
        config = self._config
        if not config.measured:
            return {}
        solvers = ", ".join(config.solvers)
        return {"difficulty": f"answered by {solvers} in less than {config.below:.0%} of tries"}


def solve_rate(solved: Mapping[str, float], solvers: Iterable[str]) -> float:
    """Mean share of right tries over the solvers."""
    rates = [solved[name] for name in solvers]
    return math.fsum(rates) / len(rates)
