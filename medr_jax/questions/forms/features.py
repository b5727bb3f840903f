"""Questions about diseases: counts, reported absences, sets of genes, and what is not stated."""

import collections
import random
from collections.abc import Iterator, Sequence

from medr_jax.graph.specialties import specialties
from medr_jax.questions import relations
from medr_jax.questions.forms.asks import ASKED, Ask, AskFinder
from medr_jax.questions.forms.pieces import attributed, finished, quoted
from medr_jax.questions.grow import Grown
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.text import mentions_any
from medr_jax.questions.verify import Reason
from medr_jax.types import Chain, Clue, Kind, Question, Relation

FORMS = ("frequency", "absence", "several_answers", "unanswerable")
_PER_SEED = 4
_MAX_CLUE_SETS = 24


class FeatureMaker:
    """Makes the verified questions of one disease at a time."""

    def __init__(self, maker: QuestionMaker, rejections: collections.Counter[str]) -> None:
        self.maker = maker
        self.graph = maker.graph
        self.config = maker.config
        self.closure = maker.finder.closure
        self.rejections = rejections
        self.asks = AskFinder(maker)

    def from_seed(self, form: str, disease: str, split: str) -> list[Question]:
        """Verified questions of one form about ``disease``, in seeded order."""
        rng = random.Random(f"{self.config.seed}:{form}:{disease}")
        found = []
        for ask in self.asks.find(form, disease, rng):
            question = self._question(form, disease, ask, split, rng)
            if question is not None:
                found.append(question)
                if len(found) == _PER_SEED:
                    break
        return found

    # -- verification -----------------------------------------------------------------------

    def _question(
        self, form: str, disease: str, ask: Ask, split: str, rng: random.Random
    ) -> Question | None:
        verifier = self.maker.verifier
        answers = sorted(ask.answers(disease)) if ask.hop.target_id else []
        if any(self.graph.same_name(one) for one in (disease, *answers)):
            self.rejections[Reason.SHARED_NAME] += 1
            return None
        if not all(self.maker.splits.shares(one, split) for one in answers):
            return None
        names = verifier.names(disease)
        if any(mentions_any(" | ".join(names), verifier.names(one)) for one in answers):
            self.rejections[Reason.NAME_GIVEAWAY] += 1
            return None
        for terms in self._starts(disease, ask, answers, rng):
            question = self._said(form, disease, ask, answers, terms, split, rng)
            if not self._leaks(question, disease, answers):
                return question
        self.rejections[Reason.FEW_CLUES] += 1
        return None

    def _starts(
        self, disease: str, ask: Ask, answers: Sequence[str], rng: random.Random
    ) -> Iterator[tuple[str, ...]]:
        """Clue sets, all of them needed; then the disease's own name, but for a false premise."""
        drafter = self.maker.drafter
        barred = {*answers, ask.hop.target_id}
        grown = Grown((), True)
        drafts = drafter.drafts(disease, grown, rng, seed_id=disease)
        for number, draft in enumerate(drafts):
            terms = tuple(clue.entity_id for clue in draft.chain.clues)
            if number >= _MAX_CLUE_SETS:
                break
            if barred & {*terms} or any(self._implied(terms, one) for one in answers):
                continue
            if ask.false_term:
                terms = (*terms[:2], ask.false_term)
                if self._premise_fails(disease, terms):
                    yield terms
            elif all(self._witness(terms, one, ask, answers) for one in range(len(terms))):
                yield terms
        if not ask.false_term:
            yield ()

    def _implied(self, terms: Sequence[str], answer: str) -> bool:
        return any(self.maker.verifier.implies(term, answer) for term in terms)

    def _premise_fails(self, disease: str, terms: Sequence[str]) -> bool:
        """Whether nobody satisfies all terms, not even with a broader disease's annotations, but
        the true ones pick out the disease and the false one goes with each of them."""
        clues = self.maker.drafter.clues
        *true, false = terms
        own = self.closure.mask_of((disease,))
        masks = [self.closure.mask(one) for one in true]
        rest = self.closure.everything
        for mask in masks:
            rest &= mask
        return (
            rest == own
            and not clues.pooled_matches(terms)
            and all(mask & self.closure.mask(false) for mask in masks)
        )

    def _witness(
        self, terms: Sequence[str], left_out: int, ask: Ask, answers: Sequence[str]
    ) -> str:
        """Whom the other clues fit as well, with another answer; "" if there is nobody."""
        mask = self.closure.everything
        for number, term in enumerate(terms):
            if number != left_out:
                mask &= self.closure.mask(term)
        for other in self.closure.members(mask):
            found = ask.answers(other)
            if found and found != frozenset(answers):
                return f"{other}>{min(found)}"
        return ""

    def _leaks(self, question: Question, disease: str, answers: Sequence[str]) -> bool:
        verifier = self.maker.verifier
        if any(mentions_any(question.text, verifier.names(one)) for one in answers):
            return True
        said = [clue.text for clue in question.chain.clues]
        return bool(said) and mentions_any(" | ".join(said), verifier.names(disease))

    # -- words ------------------------------------------------------------------------------

    def _said(
        self, form: str, disease: str, ask: Ask, answers: Sequence[str], terms: tuple[str, ...],
        split: str, rng: random.Random,
    ) -> Question:  # fmt: skip
        obfuscator = self.maker.drafter.obfuscator
        said = [obfuscator.say(term, self.config.level_weights, rng) for term in terms]
        levels = tuple(level for level, _ in said)
        clues = tuple(
            Clue(relation=Relation.HAS_PHENOTYPE, entity_id=term, text=text)
            for term, (_, text) in zip(terms, said, strict=True)
        )
        chain = Chain(clues=clues, hops=(ask.hop,), seed_id=disease)
        parts = []
        it = f"the disease {quoted(self.graph, disease)}"
        if clues:
            fields = self.maker.composer.start_fields(chain, levels)
            if rng.random() < 0.5:
                parts = [rng.choice(relations.START_SENTENCES["clues"]).format(**fields) + "."]
                it = "that disease"
            else:
                it = rng.choice(relations.START_NOUN_PHRASES["clues"]).format(**fields)
        parts.append(rng.choice(ask.templates).format(it=it, **ask.fields))
        return finished(
            graph=self.graph, form=form, chain=chain, parts=attributed(self.graph, parts, rng),
            answers=answers, split=split, proof=self._proof(ask, answers, terms, levels),
            answer_kind=ASKED.get(ask.hop.relation, Kind.PHENOTYPE),
            specialties=specialties(self.graph, disease),
        )  # fmt: skip

    def _proof(
        self, ask: Ask, answers: Sequence[str], terms: tuple[str, ...], levels: tuple[str, ...]
    ) -> dict[str, int | str | list[int]]:
        proof: dict[str, int | str | list[int]] = {
            "forms": str(ask.hop.relation),
            "levels": " ".join(levels),
            "hop_candidates": [len(answers)],
            "evidence": ask.hop.source_id,
        } | ask.proof
        masks = [self.closure.mask(term) for term in terms]
        rests = []
        for left_out in range(len(terms)):
            rest = self.closure.everything
            for number, mask in enumerate(masks):
                rest &= mask if number != left_out else rest
            rests.append(rest)
        if terms:
            proof["start_matches"] = int((rests[0] & masks[0]).bit_count())
            proof["clue_matches"] = [mask.bit_count() for mask in masks]
            proof["left_out_matches"] = [rest.bit_count() for rest in rests]
            if ask.false_term:
                proof["false_clue"] = len(terms) - 1
            else:
                witnesses = (self._witness(terms, one, ask, answers) for one in range(len(terms)))
                proof["left_out_witnesses"] = " ".join(witnesses)
        return proof
