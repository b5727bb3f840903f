"""All questions that one seed entity gives: the unit that shards."""

import collections
import hashlib
import random
from collections.abc import Container, Iterator, Sequence

from medr_jax import jsonl
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.rarity import is_rare_seed_excluded
from medr_jax.graph.specialties import phenotype_specialties, specialties
from medr_jax.questions import strict
from medr_jax.questions.closure import Closure
from medr_jax.questions.compose import Composer
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.drafts import STARTS, Draft, Drafter
from medr_jax.questions.grow import Grown, grow, start_of_longest
from medr_jax.questions.hops import FORMS, HopFinder, Step
from medr_jax.questions.kin import Kinship
from medr_jax.questions.select import Cell
from medr_jax.questions.splits import Splits
from medr_jax.questions.verify import Reason, Verifier
from medr_jax.types import OPEN_KINDS, Chain, Hop, Kind, Question


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
        kinship = Kinship(graph)
        self.finder = HopFinder(graph, Closure(graph), max_degree=config.max_degree)
        self.verifier = Verifier(graph, self.finder, kinship)
        self.drafter = Drafter(self.finder, kinship, self.verifier, config)
        self.composer = Composer(graph, config.style_weights)
        self._specialties_of: dict[str, tuple[str, ...]] = {}
        self._excluded: dict[str, bool] = {}

    def from_seed(
        self, seed_id: str, split: str, closed: Container[Cell] = frozenset()
    ) -> list[Question]:
        """Verified questions that begin at ``seed_id``, shorter ones first.

        Questions of ``closed`` cells are not made; the others are the same as without it.
        """
        strategy = self.strategy(seed_id)
        rng = random.Random(f"{self.config.seed}:{seed_id}")
        start_id = seed_id
        if strategy == "max_chain":
            start_id = self._start_of_longest(seed_id, split, rng)
        kind = self.graph.entity(start_id).kind
        start = STARTS[kind]
        named = kind is Kind.GENE
        if kind is Kind.PHENOTYPE and not self.drafter.obfuscator.definition(start_id):
            self.rejections[Reason.NO_DEFINITION] += 1
            return []
        grown = grow(
            self.finder,
            start_id,
            max_hops=self.config.max_hops - (not named),
            max_expansions=self.config.max_expansions,
            rng=rng,
            allowed=lambda entity_id: self._allowed(entity_id, split),
            augmented=strategy == "augmented_chain",
            patterns=self.config.chain_patterns,
        )
        if not named:
            grown.insert(0, Grown((), True))
        groups: dict[tuple[int, Kind], list[Grown]] = {}
        for one in rng.sample(grown, len(grown)):
            answer_kind = self.graph.entity(one.hops[-1].target_id).kind if one.hops else kind
            num_hops = len(one.hops) + (not named)
            if Cell(num_hops, answer_kind in OPEN_KINDS, start) not in closed:
                groups.setdefault((num_hops, answer_kind), []).append(one)
        questions: list[Question] = []
        for num_hops, answer_kind in sorted(groups):
            rng = random.Random(f"{self.config.seed}:{seed_id}:{num_hops}:{answer_kind}")
            said = [
                self._said(seed_id, start_id, one, split, rng)
                for one in groups[num_hops, answer_kind]
                if self._passes(start_id, one.hops)
            ]
            questions += _take_turns(said, self.config.questions_per_seed[num_hops - 1])
        return questions

    def strategy(self, seed_id: str) -> str:
        """The strategy of a seed: the only one, or drawn by its id."""
        weights = {name: w for name, w in self.config.strategy_weights.items() if w > 0}
        if len(weights) == 1:
            return next(iter(weights))
        names = sorted(weights)
        rng = random.Random(f"strategy:{self.config.seed}:{seed_id}")
        return rng.choices(names, weights=[weights[name] for name in names])[0]

    def _start_of_longest(self, seed_id: str, split: str, rng: random.Random) -> str:
        return start_of_longest(
            self.finder,
            seed_id,
            max_hops=self.config.max_hops - 1,
            max_expansions=self.config.max_expansions,
            rng=rng,
            allowed=lambda entity_id: self._allowed(entity_id, split),
        )

    def _passes(self, seed_id: str, hops: Sequence[Hop]) -> bool:
        """Whether the chain may be asked at all; counts why not."""
        reason = self.verifier.check_hops(seed_id, hops)
        if reason is None and self.config.strict:
            reason = strict.check_hops(self.graph, hops)
        if reason:
            self.rejections[reason] += 1
        return reason is None

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
        self, seed_id: str, start_id: str, grown: Grown, split: str, rng: random.Random
    ) -> Iterator[Question]:
        """Questions over one chain, each with another clue set; counts why there is none."""
        reason = None
        accepted = False
        for draft in self.drafter.drafts(start_id, grown, rng, seed_id=seed_id):
            question = self._question(draft, split)
            clue_texts = [clue.text for clue in draft.chain.clues]
            reason = self.verifier.check_text(question.text, clue_texts, draft.start_id, grown.hops)
            if reason is None and self.config.strict and not grown.hops:
                reason = strict.check_definition(
                    self.graph, " ".join(clue_texts), question.answer_id
                )
            if reason is None:
                accepted = True
                yield question
        if not accepted:
            self.rejections[reason or self.drafter.why_none(start_id)] += 1

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
