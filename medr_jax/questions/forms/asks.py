"""What may be asked of a disease: counts, reported absences, sets of genes, what is missing."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from medr_jax.questions import relations
from medr_jax.questions.forms import wording
from medr_jax.questions.forms.counts import absent, band_of, counted
from medr_jax.questions.forms.facts import MAX_MEMBERS
from medr_jax.questions.forms.pieces import quoted
from medr_jax.questions.hops import FORMS as HOP_FORMS
from medr_jax.questions.hops import Step
from medr_jax.questions.make import QuestionMaker
from medr_jax.types import Hop, Kind, Polarity, Relation

ASKED = {
    Relation.INHERITED_AS: Kind.INHERITANCE,
    Relation.HAS_ONSET: Kind.ONSET,
    Relation.HAS_COURSE: Kind.COURSE,
    Relation.ASSOCIATED_GENE: Kind.GENE,
}
"""What may be missing of a disease, or asked under a false premise."""


class Ask(NamedTuple):
    """One question to a disease. ``answers`` gives what it has for any disease."""

    hop: Hop
    answers: Callable[[str], frozenset[str]]
    templates: tuple[str, ...]
    fields: dict[str, str]
    proof: dict[str, int | str | list[int]]
    false_term: str = ""  # a clue that the disease does not satisfy


class AskFinder:
    """Asks of every form, disease by disease."""

    def __init__(self, maker: QuestionMaker) -> None:
        self.maker = maker
        self.graph = maker.graph
        self.finder = maker.finder
        self.closure = maker.finder.closure
        self._by_form = {
            "frequency": self._frequencies,
            "absence": self._absences,
            "several_answers": self._genes,
            "unanswerable": self._unanswerable,
        }

    def find(self, form: str, disease: str, rng: random.Random) -> list[Ask]:
        """Everything of the form that the disease gives, in seeded order."""
        asks = list(self._by_form[form](disease, rng))
        rng.shuffle(asks)
        return asks

    def _frequencies(self, disease: str, rng: random.Random) -> Iterator[Ask]:
        del rng
        denied = self.graph.conflicts(disease, Relation.HAS_PHENOTYPE)
        for branch in self.finder.branches:
            step = Step(Relation.HAS_PHENOTYPE, False, branch)
            found = self.finder.candidates(disease, step)
            counts = {one: counted(self.graph, disease, one) for one in found}
            for term, count in counts.items():
                if count is None or len(found) < 2 or term == branch or term in denied:
                    continue
                if list(counts.values()).count(count) > 1 or not (band := band_of(*count)):
                    continue

                def answers(other: str, step: Step = step, count=count) -> frozenset[str]:
                    had = self.finder.candidates(other, step)
                    return frozenset(one for one in had if counted(self.graph, other, one) == count)

                affected, observed = map(str, count)
                hop = Hop(
                    relation=Relation.HAS_PHENOTYPE, source_id=disease, target_id=term,
                    within_id=branch, count=f"{affected}/{observed}",
                )  # fmt: skip
                fields = {"branch": quoted(self.graph, branch), "affected": affected}
                yield Ask(
                    hop, answers, wording.COUNTED, fields | {"observed": observed},
                    {"band": band, "without_count": len(found)},
                )  # fmt: skip

    def _absences(self, disease: str, rng: random.Random) -> Iterator[Ask]:
        del rng
        firm = self._absent(disease)
        every = self.graph.targets(disease, Relation.HAS_PHENOTYPE, Polarity.EXCLUDED)
        for term in firm:
            for branch in (*self.finder.branches_of(term), ""):
                rivals = [one for one in every if not branch or self._lies_in(one, branch)]
                if rivals != [term] or term == branch:
                    continue

                def answers(other: str, branch: str = branch) -> frozenset[str]:
                    return frozenset(
                        one
                        for one in self._absent(other)
                        if not branch or self._lies_in(one, branch)
                    )

                hop = Hop(
                    relation=Relation.HAS_PHENOTYPE, source_id=disease, target_id=term,
                    within_id=branch, polarity=Polarity.EXCLUDED,
                )  # fmt: skip
                under = f" under {quoted(self.graph, branch)}" if branch else ""
                yield Ask(hop, answers, wording.ABSENT, {"under": under}, {"absent": len(every)})

    def _genes(self, disease: str, rng: random.Random) -> Iterator[Ask]:
        del rng
        genes = self._stated(Relation.ASSOCIATED_GENE)
        found = sorted(genes(disease))
        conflicts = self.graph.conflicts(disease, Relation.ASSOCIATED_GENE)
        if 2 <= len(found) <= MAX_MEMBERS and not set(found) & set(conflicts):
            hop = Hop(
                relation=Relation.ASSOCIATED_GENE, source_id=disease, target_id=found[0]
            )  # fmt: skip
            yield Ask(hop, genes, wording.GENES, {}, {})

    def _unanswerable(self, disease: str, rng: random.Random) -> Iterator[Ask]:
        """What neither the disease nor a relative of it states, and false premises."""
        kinship = self.maker.verifier.kinship
        relatives = {*kinship.broader(disease), *kinship.narrower.get(disease, ())}
        for relation in ASKED:
            form = HOP_FORMS[relation, False]
            stated = self._stated(relation)
            hop = Hop(relation=relation, source_id=disease, target_id="")
            fields = {"other": "", "branch": ""}
            templates = relations.QUESTIONS[form]
            any_stated = [
                one
                for each in (disease, *sorted(relatives))
                for polarity in Polarity
                for one in self.graph.targets(each, relation, polarity)
            ]
            if not any_stated:
                proof = {"unanswerable": "not stated", "relatives": len(relatives)}
                yield Ask(hop, stated, templates, fields, proof)
            elif len(stated(disease)) == 1:
                term = self._false_term(disease, rng)
                if term:
                    proof = {"unanswerable": "false premise"}
                    yield Ask(hop, stated, templates, fields, proof, term)

    def _false_term(self, disease: str, rng: random.Random) -> str:
        """A phenotype that some diseases share with a clue of this one, and this one lacks."""
        own = self.closure.mask_of((disease,))
        terms = self.maker.drafter.clues.terms(disease)
        absent_terms = self.graph.targets(disease, Relation.HAS_PHENOTYPE, Polarity.EXCLUDED)
        for term in rng.sample(terms, min(len(terms), 3)):
            others = list(self.closure.members(self.closure.mask(term) & ~own))
            for other in rng.sample(others, min(len(others), 8)):
                for one in self.maker.drafter.clues.terms(other):
                    if not self.closure.mask(one) & own and one not in absent_terms:
                        return one
        return ""

    def _stated(self, relation: Relation) -> Callable[[str], frozenset[str]]:
        return lambda disease: frozenset(self.graph.targets(disease, relation))

    def _absent(self, disease: str) -> tuple[str, ...]:
        having = set(self.graph.targets(disease, Relation.HAS_PHENOTYPE))
        for term in tuple(having):
            having |= self.graph.ancestors(term)
        return absent(self.graph, disease, frozenset(having))

    def _lies_in(self, term: str, branch: str) -> bool:
        return branch in self.finder.branches_of(term)
