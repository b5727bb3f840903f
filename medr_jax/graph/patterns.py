"""Typed patterns of relations that a chain must follow."""

from collections.abc import Sequence

from medr_jax.types import Relation

AGAINST = "~"
"""Before a relation: walked against its edge, as in gene ~associated_gene disease."""


def parse_step(text: str) -> tuple[Relation, bool]:
    """("~has_phenotype") -> (has_phenotype, True).

    Raises:
        ValueError: no such relation.
    """
    name = text.removeprefix(AGAINST)
    if name not in tuple(Relation):
        raise ValueError(f"pattern step {text!r}: {name!r} is none of {', '.join(Relation)}")
    return Relation(name), text.startswith(AGAINST)


class Patterns:
    """Sequences of steps; a chain that comes to the end of one begins it again.

    ``arcs`` gives the step of every arc of the graph that is searched. A set of patterns is a
    bit mask.
    """

    def __init__(
        self,
        patterns: Sequence[Sequence[str]],
        arcs: Sequence[tuple[Relation, bool]],
    ) -> None:
        if not all(patterns):
            raise ValueError("a pattern has no steps")
        self._patterns = [[parse_step(step) for step in pattern] for pattern in patterns]
        self._arcs = arcs
        self.all = (1 << len(patterns)) - 1

    def still(self, followed: int, num_hops: int, arc: int) -> int:
        """Those of the patterns followed for ``num_hops`` hops that the arc goes on with."""
        step = self._arcs[arc]
        return sum(
            1 << i
            for i, pattern in enumerate(self._patterns)
            if followed >> i & 1 and pattern[num_hops % len(pattern)] == step
        )
