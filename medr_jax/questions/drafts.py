"""Ways to begin a chain: clues to a disease, a phenotype's definition, or a named gene."""

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

from medr_jax.questions.clues import ClueFinder, ClueSet
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.grow import Grown
from medr_jax.questions.hops import HopFinder
from medr_jax.questions.kin import Kinship
from medr_jax.questions.obfuscate import Obfuscator
from medr_jax.questions.verify import Reason, Verifier
from medr_jax.types import Chain, Clue, Kind, Relation

STARTS = {Kind.DISEASE: "clues", Kind.PHENOTYPE: "definition", Kind.GENE: "gene"}
"""How a question begins at a seed of each kind."""
_MAX_DRAFTS = 24  # clue sets of one chain whose text is checked
_Sets = dict[int, list[tuple[str, ...]]]


class Draft(NamedTuple):
    """A chain that is about to be said. ``levels`` tell how each clue is put."""

    chain: Chain
    start_id: str
    levels: tuple[str, ...]
    clue_set: ClueSet | None


class Drafter:
    """Begins chains of one graph."""

    def __init__(
        self, finder: HopFinder, kinship: Kinship, verifier: Verifier, config: QuestionConfig
    ) -> None:
        self.graph = finder.graph
        self.config = config
        self.verifier = verifier
        self.clues = ClueFinder(finder, kinship, max_matches=config.max_clue_matches)
        self.obfuscator = Obfuscator(finder.graph, max_definition_words=config.max_definition_words)
        self._kept_for = ""
        self._kept: tuple[list[str], _Sets, Reason] = ([], {}, Reason.FEW_CLUES)

    def drafts(
        self, start_id: str, grown: Grown, rng: random.Random, *, seed_id: str
    ) -> Iterator[Draft]:
        """Drafts over one chain; several, with other clues, where it begins with clues."""
        kind = self.graph.entity(start_id).kind
        if kind is Kind.DISEASE:
            yield from self._from_clues(start_id, grown, rng, seed_id)
            return
        clues: tuple[Clue, ...] = ()
        if kind is Kind.PHENOTYPE:
            definition = self.obfuscator.definition(start_id)
            clues = (Clue(relation=Relation.IS_A, entity_id=start_id, text=definition),)
        chain = Chain(clues=clues, hops=grown.hops, seed_id=seed_id, optimal=grown.optimal)
        yield Draft(chain, start_id, ("definition",) * len(clues), None)

    def why_none(self, disease_id: str) -> Reason:
        """Why no clue set serves a disease."""
        return self._clues_to(disease_id)[2]

    def _from_clues(
        self, disease_id: str, grown: Grown, rng: random.Random, seed_id: str
    ) -> Iterator[Draft]:
        answer_id = grown.hops[-1].target_id if grown.hops else disease_id
        terms, unique, _ = self._clues_to(disease_id)
        barred = {hop.target_id for hop in grown.hops}
        barred.update(term for term in terms if self._gives_away(term, answer_id))
        found = self.clues.sets(
            disease_id, grown.hops, unique, barred, self.config.clue_weights, rng
        )
        for clue_set in itertools.islice(found, _MAX_DRAFTS):
            said = [
                self.obfuscator.say(term, self.config.level_weights, rng)
                for term in clue_set.term_ids
            ]
            clues = tuple(
                Clue(relation=Relation.HAS_PHENOTYPE, entity_id=term, text=text)
                for term, (_, text) in zip(clue_set.term_ids, said, strict=True)
            )
            chain = Chain(clues=clues, hops=grown.hops, seed_id=seed_id, optimal=grown.optimal)
            yield Draft(chain, disease_id, tuple(level for level, _ in said), clue_set)

    def _clues_to(self, disease_id: str) -> tuple[list[str], _Sets, Reason]:
        """Terms that may be clues, their unique sets, and why none serves; kept for one seed."""
        if self._kept_for != disease_id:
            terms = [
                term
                for term in self.clues.terms(disease_id)
                if not self.verifier.in_title(self.graph.entity(term).name, disease_id)
            ]
            rng = random.Random(f"{self.config.seed}:clues:{disease_id}")
            unique = self.clues.unique_sets(disease_id, terms, rng)
            usable = self.clues.without_kin(disease_id, unique)
            if not any(unique.values()):
                reason = Reason.FEW_CLUES
            else:
                reason = Reason.SPARE_CLUES if any(usable.values()) else Reason.KIN_MATCH
            self._kept_for = disease_id
            self._kept = terms, usable, reason
        return self._kept

    def _gives_away(self, term_id: str, answer_id: str) -> bool:
        name = self.graph.entity(term_id).name
        return self.verifier.clue_gives_away(name, answer_id) or self.verifier.implies(
            term_id, answer_id
        )
