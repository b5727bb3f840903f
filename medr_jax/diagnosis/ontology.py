"""The phenotype terms of a graph, and which lie above which, as arrays."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Int

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind


@dataclasses.dataclass(kw_only=True, slots=True)
class Closure:
    """Row pointers: ``members[starts[i]:starts[i + 1]]`` belong to term i, itself included."""

    starts: Int[np.ndarray, "N+1"]
    members: Int[np.ndarray, "C"]

    def of(self, term: int) -> Int[np.ndarray, "M"]:
        """Members of one term, ascending."""
        return self.members[self.starts[term] : self.starts[term + 1]]

    def counts(self) -> Int[np.ndarray, "N"]:
        """Members of every term."""
        return np.diff(self.starts)


class Ontology:
    """N phenotype terms, numbered in order of id, with their reflexive transitive closure."""

    def __init__(self, term_ids: tuple[str, ...], ancestors: Closure) -> None:
        self.term_ids = term_ids
        self.ancestors = ancestors
        self._numbers = {term_id: number for number, term_id in enumerate(term_ids)}

    @classmethod
    def from_graph(cls, graph: KnowledgeGraph) -> "Ontology":
        """The phenotypes of a graph under IS_A."""
        term_ids = tuple(graph.entity_ids(Kind.PHENOTYPE))
        numbers = {term_id: number for number, term_id in enumerate(term_ids)}
        above = [
            sorted(numbers[t] for t in {term_id, *graph.ancestors(term_id)} if t in numbers)
            for term_id in term_ids
        ]
        starts = np.cumsum([0, *map(len, above)])
        members = np.fromiter((t for row in above for t in row), np.int64, int(starts[-1]))
        return cls(term_ids, Closure(starts=starts, members=members))

    def __len__(self) -> int:
        return len(self.term_ids)

    def __contains__(self, term_id: object) -> bool:
        return term_id in self._numbers

    def number(self, term_id: str) -> int:
        """Number of a term. Raises ValueError for an id that is no phenotype here."""
        try:
            return self._numbers[term_id]
        except KeyError:
            raise ValueError(f"{term_id!r} is no phenotype of this release") from None

    @functools.cached_property
    def descendants(self) -> Closure:
        """The closure turned round."""
        below = np.repeat(np.arange(len(self)), self.ancestors.counts())
        order = np.argsort(self.ancestors.members, kind="stable")
        counts = np.bincount(self.ancestors.members, minlength=len(self))
        return Closure(starts=np.concatenate([[0], np.cumsum(counts)]), members=below[order])
