"""The outcome of grading one answer."""

from medr_jax.types import Record, Status


class Grade(Record):
    """Whether an answer is right, by which rule, and what the grader has to say about it."""

    correct: bool
    rule: str  # "text", "date", "synonym", "set", "gaia number", "judge", ...
    score: float = 0.0  # 1 or 0, or the share of a partly right answer
    note: str = ""  # holds no text of question or gold answer
    judge: str = ""  # model and version, where a judge decided
    status: Status = Status.OK  # infra_error: the judge failed, which is nobody's wrong answer

    @classmethod
    def of(cls, correct: bool, rule: str, note: str = "") -> "Grade":
        """All or nothing."""
        return cls(correct=correct, rule=rule, score=float(correct), note=note)
