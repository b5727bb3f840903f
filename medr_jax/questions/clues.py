"""Sets of phenotypes that pick out one disease, none of which can be left out."""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.closure import Closure
from medr_jax.questions.hops import HopFinder, Step
from medr_jax.types import Hop, Polarity, Relation

_MAX_TERMS = 16  # of a disease that are combined; C(16, 3) = 560 sets
_MAX_WITNESSES = 300  # diseases tried for one that shows a clue to be needed


class ClueSet(NamedTuple):
    """Clues with the counts that prove them."""

    term_ids: tuple[str, ...]
    matches: tuple[int, ...]  # diseases that satisfy each clue alone
    left_out_matches: tuple[int, ...]  # diseases that satisfy all clues but this one
    witnesses: tuple[str, ...]  # "disease>answer": leads elsewhere when this clue is left out


class ClueFinder:
    """Clue sets of a graph's diseases, under closure."""

    def __init__(
        self, graph: KnowledgeGraph, closure: Closure, finder: HopFinder, *, max_matches: int
    ) -> None:
        self.graph = graph
        self.closure = closure
        self.finder = finder
        self.max_matches = max_matches
        self._terms: dict[str, tuple[str, ...]] = {}

    def terms(self, disease_id: str) -> tuple[str, ...]:
        """Annotated phenotypes that may be clues: no contradiction, no branch, no common term."""
        if disease_id not in self._terms:
            annotated = self.graph.targets(disease_id, Relation.HAS_PHENOTYPE)
            excluded = frozenset(
                self.graph.targets(disease_id, Relation.HAS_PHENOTYPE, Polarity.EXCLUDED)
            )
            self._terms[disease_id] = tuple(
                term
                for term in annotated
                if self.finder.branches_of(term)
                and term not in self.finder.branches
                and term not in excluded
                and not (excluded and excluded & self.graph.ancestors(term))
                and self.closure.count(term) <= self.max_matches
            )
        return self._terms[disease_id]

    def sets(
        self,
        disease_id: str,
        hops: Sequence[Hop],
        terms: Sequence[str],
        weights: Sequence[float],
        rng: random.Random,
    ) -> Iterator[ClueSet]:
        """Valid clue sets from ``terms``, of a size drawn by ``weights`` first, in seeded order."""
        shuffled = rng.sample(terms, min(len(terms), _MAX_TERMS))
        sizes = [size for size in (1, 2, 3) if weights[size - 1] > 0]
        while sizes:
            (size,) = rng.choices(sizes, weights=[weights[size - 1] for size in sizes])
            sizes.remove(size)
            for chosen in itertools.combinations(shuffled, size):
                proven = self.prove(disease_id, hops, chosen)
                if proven:
                    yield proven

    def prove(
        self, disease_id: str, hops: Sequence[Hop], term_ids: Sequence[str]
    ) -> ClueSet | None:
        """The counts, or None where the clues are not unique or one of them is not needed."""
        masks = [self.closure.mask(term) for term in term_ids]
        everything = (1 << len(self.closure.diseases)) - 1
        own = self.closure.mask_of((disease_id,))
        left_out = []
        for number in range(len(masks)):
            rest = everything
            for other, mask in enumerate(masks):
                if other != number:
                    rest &= mask
            if rest == own:
                return None
            left_out.append(rest)
        if left_out[0] & masks[0] != own:
            return None
        steps = [Step.of(hop) for hop in hops]
        answer = hops[-1].target_id if hops else disease_id
        witnesses = []
        for rest in left_out:
            witnesses.append(self._witness(rest, steps, answer))
            if not witnesses[-1]:
                return None
        return ClueSet(
            term_ids=tuple(term_ids),
            matches=tuple(mask.bit_count() for mask in masks),
            left_out_matches=tuple(rest.bit_count() for rest in left_out),
            witnesses=tuple(witnesses),
        )

    def _witness(self, candidates: int, steps: Sequence[Step], answer_id: str) -> str:
        """A candidate from which the same steps, each functional, lead to another answer."""
        for candidate in itertools.islice(self.closure.members(candidates), _MAX_WITNESSES):
            reached = self.follow(candidate, steps)
            if reached and reached != answer_id:
                return f"{candidate}>{reached}"
        return ""

    def follow(self, start_id: str, steps: Sequence[Step]) -> str:
        """Where the steps lead from ``start_id``, or "" when one of them is not functional."""
        here, previous = start_id, ""
        for step in steps:
            found = self.finder.target(here, step, previous)
            if not found:
                return ""
            here, previous = found, here
        return here
