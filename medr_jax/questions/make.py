"""All questions that one seed entity gives: the unit that shards."""

import collections
import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from medr_jax import jsonl
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.rarity import is_rare_seed_excluded
from medr_jax.graph.specialties import phenotype_specialties, specialties
from medr_jax.questions.closure import Closure
from medr_jax.questions.clues import ClueFinder, ClueSet
from medr_jax.questions.compose import Composer
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.grow import Grown, grow
from medr_jax.questions.hops import FORMS, HopFinder, Step
from medr_jax.questions.obfuscate import Obfuscator
from medr_jax.questions.splits import Splits
from medr_jax.questions.verify import Reason, Verifier
from medr_jax.types import Chain, Clue, Hop, Kind, Question, Relation

_MAX_TRIES = 12  # clue sets of one chain whose text is checked


class Draft(NamedTuple):
    """A chain that is about to be said."""

    chain: Chain
    start_id: str
    levels: tuple[str, ...]
    clue_set: ClueSet | None


class QuestionMaker:
    """Makes the verified questions of one seed entity at a time.

    What a seed gives depends on the graph, the config and the seed's id only, never on other
    seeds or on order, so seeds may be made anywhere and put together.
    """

    def __init__(self, graph: KnowledgeGraph, config: QuestionConfig, splits: Splits) -> None:
        self.graph = graph
        self.config = config
        self.splits = splits
        self.rejections: collections.Counter[str] = collections.Counter()
        closure = Closure(graph)
        self.finder = HopFinder(graph, closure, max_degree=config.max_degree)
        self.clues = ClueFinder(graph, closure, self.finder, max_matches=config.max_clue_matches)
        self.obfuscator = Obfuscator(graph, max_definition_words=config.max_definition_words)
        self.verifier = Verifier(graph, closure, self.finder)
        self.composer = Composer(graph)
        self._clues_for = ""
        self._clues_found: tuple[list[str], dict[int, list[tuple[str, ...]]]] = ([], {})
        self._specialties_of: dict[str, tuple[str, ...]] = {}
        self._excluded: dict[str, bool] = {}

    def from_seed(self, seed_id: str, split: str) -> list[Question]:
        """Verified questions that begin at ``seed_id``, shorter ones first."""
        kind = self.graph.entity(seed_id).kind
        named = kind is Kind.GENE
        if kind is Kind.PHENOTYPE and not self.obfuscator.definition(seed_id):
            self.rejections[Reason.NO_DEFINITION] += 1
            return []
        rng = random.Random(f"{self.config.seed}:{seed_id}")
        grown = grow(
            self.finder,
            seed_id,
            max_hops=self.config.max_hops - (not named),
            max_expansions=self.config.max_expansions,
            rng=rng,
            allowed=lambda entity_id: self._allowed(entity_id, split),
        )
        if not named:
            grown.insert(0, Grown((), True))
        groups: dict[tuple[int, Kind], list[Iterator[Question]]] = {}
        for one in rng.sample(grown, len(grown)):
            reason = self.verifier.check_hops(seed_id, one.hops)
            if reason:
                self.rejections[reason] += 1
                continue
            answer_kind = self.graph.entity(one.hops[-1].target_id).kind if one.hops else kind
            key = (len(one.hops), answer_kind)
            groups.setdefault(key, []).append(self._said(seed_id, one, split, rng))
        questions: list[Question] = []
        for key in sorted(groups):
            num_hops = key[0] + (not named)
            most = self.config.questions_per_seed[num_hops - 1]
            questions += _take_turns(groups[key], most)
        return questions

    def _allowed(self, entity_id: str, split: str) -> bool:
        """Whether a chain of ``split`` may pass: entities of one split, no excluded disease."""
        if not self.splits.shares(entity_id, split):
            return False
        if self.graph.entity(entity_id).kind is not Kind.DISEASE:
            return True
        if entity_id not in self._excluded:
            self._excluded[entity_id] = is_rare_seed_excluded(self.graph, entity_id)
        return not self._excluded[entity_id]

    def _said(
        self, seed_id: str, grown: Grown, split: str, rng: random.Random
    ) -> Iterator[Question]:
        """Questions over one chain, each with another clue set; counts why there is none."""
        last_reason = None
        accepted = False
        for draft in self._drafts(seed_id, grown, rng):
            question = self._question(draft, split)
            clue_texts = [clue.text for clue in draft.chain.clues]
            last_reason = self.verifier.check_text(
                question.text, clue_texts, draft.start_id, grown.hops
            )
            if last_reason is None:
                accepted = True
                yield question
        if not accepted:
            self.rejections[last_reason or Reason.NO_CLUES] += 1

    def _drafts(self, seed_id: str, grown: Grown, rng: random.Random) -> Iterator[Draft]:
        kind = self.graph.entity(seed_id).kind
        if kind is Kind.DISEASE:
            yield from self._drafts_from_clues(seed_id, grown, rng)
            return
        clues: tuple[Clue, ...] = ()
        if kind is Kind.PHENOTYPE:
            definition = self.obfuscator.definition(seed_id)
            clues = (Clue(relation=Relation.IS_A, entity_id=seed_id, text=definition),)
        chain = Chain(clues=clues, hops=grown.hops, seed_id=seed_id, optimal=grown.optimal)
        yield Draft(chain, seed_id, ("definition",) * len(clues), None)

    def _drafts_from_clues(
        self, disease_id: str, grown: Grown, rng: random.Random
    ) -> Iterator[Draft]:
        answer_id = grown.hops[-1].target_id if grown.hops else disease_id
        terms, unique = self._clues_of(disease_id)
        barred = {hop.target_id for hop in grown.hops}
        barred.update(term for term in terms if self._gives_away(term, answer_id))
        found = self.clues.sets(
            disease_id, grown.hops, unique, barred, self.config.clue_weights, rng
        )
        for clue_set in itertools.islice(found, _MAX_TRIES):
            if self.verifier.check_clues(disease_id, clue_set.term_ids):
                self.rejections[Reason.RELATIVE] += 1
                return
            said = [
                self.obfuscator.say(term, self.config.level_weights, rng)
                for term in clue_set.term_ids
            ]
            clues = tuple(
                Clue(relation=Relation.HAS_PHENOTYPE, entity_id=term, text=text)
                for term, (_, text) in zip(clue_set.term_ids, said, strict=True)
            )
            chain = Chain(clues=clues, hops=grown.hops, seed_id=disease_id, optimal=grown.optimal)
            yield Draft(chain, disease_id, tuple(level for level, _ in said), clue_set)

    def _clues_of(self, disease_id: str) -> tuple[list[str], dict[int, list[tuple[str, ...]]]]:
        """Terms that may be clues to the disease, and their unique sets; kept for one seed."""
        if self._clues_for != disease_id:
            terms = [
                term
                for term in self.clues.terms(disease_id)
                if not self.verifier.in_title(self.graph.entity(term).name, disease_id)
            ]
            rng = random.Random(f"{self.config.seed}:clues:{disease_id}")
            self._clues_for = disease_id
            self._clues_found = terms, self.clues.unique_sets(disease_id, terms, rng)
        return self._clues_found

    def _gives_away(self, term_id: str, answer_id: str) -> bool:
        name = self.graph.entity(term_id).name
        return self.verifier.clue_gives_away(name, answer_id) or self.verifier.implies(
            term_id, answer_id
        )

    def _question(self, draft: Draft, split: str) -> Question:
        chain, hops = draft.chain, draft.chain.hops
        question_id = identity(chain)
        answer = self.graph.entity(hops[-1].target_id if hops else draft.start_id)
        candidates = [self.finder.candidates(hop.source_id, Step.of(hop)) for hop in hops]
        arrivals = ("", *(hop.source_id for hop in hops))
        others = tuple(
            previous in found for previous, found in zip(arrivals, candidates, strict=False)
        )
        rng = random.Random(f"{self.config.seed}:{question_id}")
        return Question(
            question_id=question_id,
            text=self.composer.question(chain, draft.levels, others, rng),
            chain=chain,
            num_hops=len(hops) + bool(chain.clues),
            answer=answer.name,
            answer_id=answer.id,
            answer_kind=answer.kind,
            answer_aliases=answer.synonyms,
            specialties=self._specialties(draft),
            split=split,
            snapshot=self.graph.snapshot,
            proof=_proof(draft, list(map(len, candidates))),
        )

    def _specialties(self, draft: Draft) -> tuple[str, ...]:
        """Those of the chain's first disease, or of the phenotype where there is none."""
        entities = (draft.start_id, *(hop.target_id for hop in draft.chain.hops))
        diseases = (one for one in entities if self.graph.entity(one).kind is Kind.DISEASE)
        first = next(diseases, draft.start_id)
        if first not in self._specialties_of:
            is_disease = self.graph.entity(first).kind is Kind.DISEASE
            look_up = specialties if is_disease else phenotype_specialties
            self._specialties_of[first] = look_up(self.graph, first)
        return self._specialties_of[first]


def identity(chain: Chain) -> str:
    """A question id from what is asked, not from how it is said."""
    clues = [[clue.relation, clue.entity_id] for clue in chain.clues]
    asked = jsonl.encode([clues, chain.hops])
    return f"q{hashlib.sha256(asked).hexdigest()[:16]}"


def _proof(draft: Draft, candidates: Sequence[int]) -> dict[str, int | str | list[int]]:
    """Counts under closure: 1 in hop_candidates, or 2 where the hop leads to the other one."""
    hops: tuple[Hop, ...] = draft.chain.hops
    proof: dict[str, int | str | list[int]] = {
        "levels": " ".join(draft.levels),
        "forms": " ".join(FORMS[hop.relation, hop.inverse] for hop in hops),
        "hop_candidates": list(candidates),
    }
    if draft.clue_set:
        proof["start_matches"] = 1
        proof["clue_matches"] = list(draft.clue_set.matches)
        proof["left_out_matches"] = list(draft.clue_set.left_out_matches)
        proof["left_out_witnesses"] = " ".join(draft.clue_set.witnesses)
    return proof


def _take_turns(sources: Sequence[Iterator[Question]], number: int) -> list[Question]:
    """Up to ``number`` questions, one from each source in turn, none twice."""
    taken: dict[str, Question] = {}
    waiting = list(sources)
    while waiting and len(taken) < number:
        for source in list(waiting):
            question = next(source, None)
            if question is None:
                waiting.remove(source)
            else:
                taken.setdefault(question.question_id, question)
            if len(taken) == number:
                break
    return list(taken.values())
