"""Questions about what sources state of drugs, products, patents, trials and articles.

Clues pick out one subject; the question asks for its number, for what one or two steps lead to,
for a set, or for something that is not stated of it.
"""

import collections
import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.compose import join
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.forms import wording
from medr_jax.questions.forms.answers import said, spellings
from medr_jax.questions.forms.claims import Ask, Claims
from medr_jax.questions.forms.pieces import attributed, finished
from medr_jax.questions.kin import Kinship
from medr_jax.questions.splits import Splits
from medr_jax.questions.text import mentions_any
from medr_jax.questions.verify import Reason
from medr_jax.types import Chain, Clue, Hop, Kind, Polarity, Question, Relation

FORMS = ("date", "identifier", "attribute", "drug", "several_answers", "unanswerable")
MAX_MEMBERS = 6
"""Larger sets are no question for an exact answer."""
_MAX_CLUES = 12  # facts of a subject that are combined
_PER_SEED = 4
_LEAST_STATED = 0.5  # share of subjects with a fact from which on its lack is worth asking about
_NUMBER_KINDS = (Kind.PATENT, Kind.EXCLUSIVITY, Kind.TRIAL, Kind.PRODUCT, Kind.PUBLICATION)
_Facts = tuple[tuple[Relation, str], ...]


class Target(NamedTuple):
    """What is asked of a subject. Without hops for the subject itself; no answers: not stated."""

    ask: Ask
    hops: tuple[Hop, ...]
    answers: tuple[str, ...]


class FactMaker:
    """Makes the verified fact questions of one subject at a time."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        config: QuestionConfig,
        splits: Splits,
        rejections: collections.Counter[str],
    ) -> None:
        self.graph = graph
        self.config = config
        self.splits = splits
        self.rejections = rejections
        self.claims = Claims(graph, Kinship(graph))
        self._expected: dict[Kind, tuple[Ask, ...]] = {}

    def seeds(self) -> list[str]:
        """Every subject of which something is stated."""
        return [
            subject
            for kind in wording.SUBJECTS
            for subject in self.graph.entity_ids(kind)
            if any(self.graph.targets(subject, relation) for relation in wording.FACTS)
        ]

    def from_seed(self, form: str, subject: str, split: str) -> list[Question]:
        """Verified questions of one form that begin at ``subject``, in seeded order."""
        rng = random.Random(f"{self.config.seed}:{form}:{subject}")
        targets = [one for one in self._targets(subject) if self._form(subject, one) == form]
        rng.shuffle(targets)
        found = []
        for target in targets:
            question = self._question(form, subject, target, split, rng)
            if question is not None:
                found.append(question)
                if len(found) == _PER_SEED:
                    break
        return found

    def _targets(self, subject: str) -> Iterator[Target]:
        kind = self.graph.entity(subject).kind
        yield Target((), (), (subject,))
        for ask in self.claims.asks[kind]:
            answers = self.claims.reach(subject, ask)
            hops = self.claims.hops(subject, ask) if answers else ()
            if len(hops) == len(ask) and len(answers) <= MAX_MEMBERS:
                yield Target(ask, hops, answers)
        for ask in self._expected_of(kind):
            relation = ask[0][0]
            if not any(self.graph.targets(subject, relation, how) for how in Polarity):
                hop = Hop(relation=relation, source_id=subject, target_id="")
                yield Target(ask, (hop,), ())

    def _expected_of(self, kind: Kind) -> tuple[Ask, ...]:
        """One-step asks that most subjects of the kind answer."""
        if kind not in self._expected:
            subjects = self.graph.entity_ids(kind)
            self._expected[kind] = tuple(
                ask
                for ask in self.claims.asks[kind]
                if len(ask) == 1
                and sum(bool(self.claims.reach(one, ask)) for one in subjects)
                >= _LEAST_STATED * len(subjects)
            )
        return self._expected[kind]

    def _form(self, subject: str, target: Target) -> str:
        if not target.answers:
            return "unanswerable"
        if len(target.answers) > 1:
            return "several_answers"
        kinds = {self.graph.entity(subject).kind, self.graph.entity(target.answers[0]).kind}
        answer_kind = self.graph.entity(target.answers[0]).kind
        if answer_kind is Kind.DATE:
            return "date"
        if Kind.DRUG in kinds:
            return "drug"
        return "identifier" if answer_kind in _NUMBER_KINDS else "attribute"

    # -- verification -----------------------------------------------------------------------

    def _question(
        self, form: str, subject: str, target: Target, split: str, rng: random.Random
    ) -> Question | None:
        """The question, or None; counts why there is none."""
        if not self._in_split(subject, target, split):
            return None
        if target.answers and self._bypassed(subject, target):
            self.rejections[Reason.BYPASS] += 1
            return None
        reason = Reason.FEW_CLUES
        for clues in itertools.chain(self._clue_sets(subject, target, rng), [()]):
            if not clues and (not target.hops or self.claims.shares_name(subject)):
                continue
            question = self._said(form, subject, target, clues, split, rng)
            if self._leaks(question, clues, subject, target):
                reason = Reason.NAMED
            elif all(self.splits.shares(value, split) for _, value in clues):
                return question
        self.rejections[reason] += 1
        return None

    def _in_split(self, subject: str, target: Target, split: str) -> bool:
        """What answers a question belongs to one split, with all products of an application."""
        decider = target.hops[-1].source_id if target.hops else subject
        entity = self.graph.entity(decider)
        family = entity.xrefs[0] if entity.kind is Kind.PRODUCT and entity.xrefs else decider
        named = (subject, *(hop.target_id for hop in target.hops if hop.target_id))
        return self.splits.split_of_seed(family) == split and all(
            self.splits.shares(one, split) for one in (*named, *target.answers)
        )

    def _bypassed(self, subject: str, target: Target) -> bool:
        """Whether the subject of two steps is joined to an answer, or an answer's name stands
        for several entities."""
        if any(self.claims.shares_name(one) for one in target.answers):
            return True
        if len(target.hops) < 2:
            return False
        near, here = self.graph.adjacency, self.graph.position(subject)
        return any(near.linked(here, self.graph.position(one)) for one in target.answers)

    def _clue_sets(self, subject: str, target: Target, rng: random.Random) -> Iterator[_Facts]:
        """Sets of one to three facts that only the subject satisfies and that are all needed."""
        hidden = {subject, *target.answers, *(hop.target_id for hop in target.hops)}
        asked = {hop.relation for hop in target.hops[:1]}
        usable = [
            (relation, value)
            for relation, value in self.claims.clues(subject)
            if relation not in asked and not self.claims.included(value) & hidden
        ]
        usable = rng.sample(usable, min(len(usable), _MAX_CLUES))
        kind = self.graph.entity(subject).kind
        sizes = [size for size in (1, 2, 3) if self.config.clue_weights[size - 1] > 0]
        weights = [self.config.clue_weights[size - 1] for size in sizes]
        first = rng.choices(sizes, weights=weights)[0]
        for size in sorted(sizes, key=lambda one: one != first):
            for clues in itertools.combinations(usable, size):
                if self.claims.satisfying_all(kind, clues) == {subject} and all(
                    self._witness(kind, clues, number, target) for number in range(size)
                ):
                    yield clues

    def _witness(self, kind: Kind, clues: _Facts, left_out: int, target: Target) -> str:
        """Whom the other clues fit as well, with another answer; "" if there is nobody."""
        rest = clues[:left_out] + clues[left_out + 1 :]
        for other in sorted(self.claims.satisfying_all(kind, rest)):
            reached = self.claims.reach(other, target.ask) if target.ask else (other,)
            if reached and set(reached) != set(target.answers):
                return f"{other}>{reached[0]}"
        return ""

    def _leaks(self, question: Question, clues: _Facts, subject: str, target: Target) -> bool:
        """Whether the text names an answer, or a hidden entity."""
        hidden = [hop.target_id for hop in target.hops[:-1]] + ([subject] if clues else [])
        told = question.text
        answers = [self.graph.entity(one) for one in target.answers]
        if any(mentions_any(told, spellings(one)) for one in answers):
            return True
        quoted = " | ".join(
            [clue.text for clue in question.chain.clues] or [said(self.graph.entity(subject))]
        )
        return any(mentions_any(quoted, spellings(self.graph.entity(one))) for one in hidden)

    def _said(
        self, form: str, subject: str, target: Target, clues: _Facts, split: str, rng: random.Random
    ) -> Question:
        kind = self.graph.entity(subject).kind
        told = tuple(
            Clue(relation=relation, entity_id=value, text=self._value(value, rng))
            for relation, value in clues
        )
        chain = Chain(clues=told, hops=target.hops, seed_id=subject)
        parts = self._sentences(kind, subject, chain, target, rng)
        proof: dict[str, int | str | list[int]] = {
            "forms": " ".join(hop.relation for hop in target.hops),
            "hop_candidates": [
                len(self.claims.values(hop.source_id, *step))
                for hop, step in zip(target.hops, target.ask, strict=True)
            ],
            "evidence": " ".join(dict.fromkeys(hop.source_id for hop in target.hops)) or subject,
        }
        if clues:
            numbers = range(len(clues))
            rests = [clues[:one] + clues[one + 1 :] for one in numbers]
            witnesses = [self._witness(kind, clues, one, target) for one in numbers]
            proof |= {
                "start_matches": len(self.claims.satisfying_all(kind, clues)),
                "clue_matches": [len(self.claims.satisfying(kind, *clue)) for clue in clues],
                "left_out_matches": [len(self.claims.satisfying_all(kind, rest)) for rest in rests],
                "left_out_witnesses": " ".join(witnesses),
            }
        if not target.answers:
            proof["unanswerable"] = "not stated"
        return finished(
            graph=self.graph, form=form, chain=chain, parts=attributed(self.graph, parts, rng),
            answers=target.answers, split=split, proof=proof,
            answer_kind=target.ask[-1][1] if target.ask else kind,
        )  # fmt: skip

    def _sentences(
        self, kind: Kind, subject: str, chain: Chain, target: Target, rng: random.Random
    ) -> list[str]:
        noun, _ = wording.SUBJECTS[kind]
        if not chain.clues:
            name = said(self.graph.entity(subject))
            named = name if kind in (Kind.PATENT, Kind.EXCLUSIVITY) else f"the {noun} {name}"
            return [self._asked(named, target, rng)]
        verbs = [
            wording.FACTS[clue.relation].verb.format(value=f'"{clue.text}"') for clue in chain.clues
        ]
        fields = {"noun": noun, "verbs": join(verbs)}
        if not target.hops:
            number = wording.NUMBERS.get(kind)
            asked = rng.choice(wording.WHICH).format(**fields)
            return [asked, f"Give its {number}."] if number else [asked]
        styles = {"nested": 0.0, "steps": 0.0} | self.config.style_weights
        if rng.random() * (styles["nested"] + styles["steps"] or 1) < styles["steps"]:
            opening = rng.choice(wording.STEPS).format(**fields)
            return [
                opening[0].lower() + opening[1:],
                self._asked(f"that {noun}", target, rng),
            ]
        return [self._asked(rng.choice(wording.STARTS).format(**fields), target, rng)]

    def _asked(self, it: str, target: Target, rng: random.Random) -> str:
        for (relation, kind), _ in zip(target.ask[:-1], target.hops, strict=False):
            fields = self._nouns(relation, kind)
            it = rng.choice(wording.NOUN_PHRASES).format(it=it, **fields)
        relation, kind = target.ask[-1]
        fields = self._nouns(relation, kind)
        if len(target.answers) > 1:
            return rng.choice(wording.SEVERAL).format(it=it, **fields)
        question = fields.pop("question").format(it=it, target=fields["noun"])
        return rng.choice(wording.ONE).format(it=it, question=question, **fields)

    def _nouns(self, relation: Relation, kind: Kind) -> dict[str, str]:
        fact = wording.FACTS[relation]
        one, several = wording.SUBJECTS.get(kind, ("", ""))
        return {
            "noun": fact.noun.format(target=one),
            "plural": fact.plural.format(targets=several),
            "question": fact.question,
        }

    def _name(self, entity_id: str) -> str:
        return said(self.graph.entity(entity_id)).replace('"', "'")

    def _value(self, entity_id: str, rng: random.Random) -> str:
        """A clue's value by name or by an exact synonym, as the levels' weights have it."""
        entity = self.graph.entity(entity_id)
        weights = self.config.level_weights
        name, synonym = weights.get("name", 0.0), weights.get("synonym", 0.0)
        if entity.synonyms and rng.random() * (name + synonym or 1) < synonym:
            return rng.choice(entity.synonyms).replace('"', "'")
        return self._name(entity_id)
