"""What a demonstration was made to do wrong, and in which of its turns."""

from enum import StrEnum

from medr_jax.types import Trajectory


class Flaw(StrEnum):
    """Recoverable detours, then mistakes that stay."""

    TOOL_SWITCH = "tool_switch"  # reads a document that the search does not need
    WRONG_TURN = "wrong_turn"  # follows another hit, then returns
    TOOL_FAILURE = "tool_failure"  # an injected failure; the call is made again
    REPEATED_SEARCH = "repeated_search"  # the same search again, for nothing
    PREMATURE_ANSWER = "premature_answer"  # a wrong answer before the search is over


MISTAKES = frozenset({Flaw.REPEATED_SEARCH, Flaw.PREMATURE_ANSWER})
"""Flaws that make a demonstration a bad one: what RL is to remove."""


def label(flaw: Flaw, turn: int) -> str:
    """As it stands in ``Trajectory.flaws``: "wrong_turn@3", turns counted from 0."""
    return f"{flaw}@{turn}"


def labelled(trajectory: Trajectory) -> list[tuple[Flaw, int]]:
    """The flaws of a trajectory with their turns."""
    found = (text.rpartition("@") for text in trajectory.flaws)
    return [(Flaw(flaw), int(turn)) for flaw, _, turn in found]


def turns_with(trajectory: Trajectory, *flaws: Flaw) -> set[int]:
    """The turns that have one of these flaws."""
    return {turn for flaw, turn in labelled(trajectory) if flaw in flaws}
