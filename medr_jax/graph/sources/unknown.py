"""What becomes of a relation that a reader does not know by name."""

import re

from medr_jax.types import Relation

_NOT_GENERIC = re.compile(
    r"\b(?:not|no|never|without|lacks?|absen\w*|negativ\w*|exclud\w*|contra\w*|"
    r"off[ -]?label\w*|unlike\w*|rule[sd]?[ -]?out)\b"
)
"""Words of relations that mean the opposite of a link, or a warning."""


def generic_qualifier(name: str) -> str:
    """The qualifier of a ``RELATED_TO`` edge that stands for an unknown relation.

    Raises:
        ValueError: the name says that something is absent, excluded, contraindicated or off
            label; such a fact never becomes a generic link.
    """
    words = name.replace("_", " ").casefold().strip()
    if not words:
        raise ValueError("the relation is empty")
    if _NOT_GENERIC.search(words):
        raise ValueError(
            f"relation {name!r} is a negative or a warning, and must not become a generic link; "
            f"use {Relation.CONTRAINDICATED_IN}, {Relation.OFF_LABEL_FOR}, or a known relation "
            "with polarity excluded"
        )
    return words
