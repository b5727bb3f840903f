"""Sets of phenotypes that pick out one disease, none of which can be left out."""

import itertools
import random
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from medr_jax.questions.hops import HopFinder, Step
from medr_jax.questions.kin import Kinship
from medr_jax.types import Hop, Polarity, Relation

_MAX_TERMS = 32  # of a disease that are combined; C(32, 3) = 4,960 sets


class ClueSet(NamedTuple):
    """Clues with the counts that prove them."""

    term_ids: tuple[str, ...]
    matches: tuple[int, ...]  # diseases that satisfy each clue alone
    left_out_matches: tuple[int, ...]  # diseases that satisfy all clues but this one
    witnesses: tuple[str, ...]  # "disease>answer": leads elsewhere when this clue is left out


class ClueFinder:
    """Clue sets of a graph's diseases, under closure."""

    def __init__(self, finder: HopFinder, kinship: Kinship, *, max_matches: int) -> None:
        self.graph = finder.graph
        self.closure = finder.closure
        self.finder = finder
        self.kinship = kinship
        self.max_matches = max_matches
        self._terms: dict[str, tuple[str, ...]] = {}
        self._pooled: dict[str, int] = {}
        self._reached: dict[tuple[Step, ...], dict[str, str]] = {}
        self._lost: dict[tuple[Step, ...], int] = {}  # mask of those whom steps lead nowhere

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

    def unique_sets(
        self, disease_id: str, terms: Sequence[str], rng: random.Random
    ) -> dict[int, list[tuple[str, ...]]]:
        """Sets of 1, 2 and 3 terms that only this disease satisfies, and no part of them does.

        By size, in seeded order; of a long list of terms a sample is combined.
        """
        chosen = rng.sample(terms, min(len(terms), _MAX_TERMS))
        own = self.closure.mask_of((disease_id,))
        found: dict[int, list[tuple[str, ...]]] = {1: [], 2: [], 3: []}
        masks = []
        for term in chosen:
            mask = self.closure.mask(term)
            if mask == own:
                found[1].append((term,))
            else:
                masks.append((term, mask))
        for number, (one, mask_one) in enumerate(masks):
            wider = []  # terms that need a third beside this one
            for other, mask_other in masks[number + 1 :]:
                if mask_one & mask_other == own:
                    found[2].append((one, other))
                else:
                    wider.append((other, mask_other))
            for (second, mask_second), (third, mask_third) in itertools.combinations(wider, 2):
                both = mask_second & mask_third
                if both != own and mask_one & both == own:
                    found[3].append((one, second, third))
        for sets in found.values():
            rng.shuffle(sets)
        return found

    def without_kin(
        self, disease_id: str, unique: Mapping[int, Sequence[tuple[str, ...]]]
    ) -> dict[int, list[tuple[str, ...]]]:
        """Those unique sets that no relative of the disease can be meant by.

        A broader disease's annotations are read as holding for its narrower ones, which need
        not repeat them: a disease that satisfies the clues in this way makes them ambiguous.
        """
        own = self.closure.mask_of((disease_id,))
        return {
            size: [terms for terms in sets if self.pooled_matches(terms) == own]
            for size, sets in unique.items()
        }

    def pooled_matches(self, term_ids: Sequence[str]) -> int:
        """Mask of those who satisfy all terms, by themselves or by a broader disease."""
        mask = self.closure.everything
        for term_id in term_ids:
            if term_id not in self._pooled:
                stated = self.closure.mask(term_id)
                narrower = self.kinship.narrower
                below = [narrower.get(one, ()) for one in self.closure.members(stated)]
                inherited = self.closure.mask_of(itertools.chain.from_iterable(below))
                self._pooled[term_id] = stated | inherited
            mask &= self._pooled[term_id]
        return mask

    def sets(
        self,
        disease_id: str,
        hops: Sequence[Hop],
        unique: Mapping[int, Sequence[tuple[str, ...]]],
        barred: Container[str],
        weights: Sequence[float],
        rng: random.Random,
    ) -> Iterator[ClueSet]:
        """Those ``unique`` sets without barred terms in which every clue is needed.

        Sizes come as drawn by ``weights`` (of 1, 2, 3 clues), without replacement.
        """
        sizes = [size for size in unique if weights[size - 1] > 0]
        while sizes:
            (size,) = rng.choices(sizes, weights=[weights[size - 1] for size in sizes])
            sizes.remove(size)
            for chosen in unique[size]:
                if not any(term in barred for term in chosen):
                    proven = self.prove(disease_id, hops, chosen)
                    if proven:
                        yield proven

    def prove(
        self, disease_id: str, hops: Sequence[Hop], term_ids: Sequence[str]
    ) -> ClueSet | None:
        """The counts of a unique set, or None where the answer stays clear without a clue."""
        steps = tuple(Step.of(hop) for hop in hops)
        answer_id = hops[-1].target_id if hops else disease_id
        masks = [self.closure.mask(term) for term in term_ids]
        matches, witnesses = [], []
        for number in range(len(masks)):
            rest = self.closure.everything
            for other, mask in enumerate(masks):
                if other != number:
                    rest &= mask
            witness = self._witness(rest, steps, answer_id)
            if not witness:
                return None
            matches.append(rest.bit_count())
            witnesses.append(witness)
        return ClueSet(
            term_ids=tuple(term_ids),
            matches=tuple(mask.bit_count() for mask in masks),
            left_out_matches=tuple(matches),
            witnesses=tuple(witnesses),
        )

    def _witness(self, candidates: int, steps: tuple[Step, ...], answer_id: str) -> str:
        """A candidate from which the same steps, each functional, lead to another answer."""
        known = self._reached.setdefault(steps, {})
        for candidate in self.closure.members(candidates & ~self._lost.get(steps, 0)):
            reached = known.get(candidate)
            if reached is None:
                reached = known[candidate] = self.follow(candidate, steps)
                if not reached:
                    lost = self.closure.mask_of((candidate,))
                    self._lost[steps] = self._lost.get(steps, 0) | lost
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
