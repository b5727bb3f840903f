"""What is stated of the subjects of facts, and which subjects satisfy a clue."""

import functools
from collections.abc import Iterable, Sequence

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.forms.wording import FACTS, SUBJECTS
from medr_jax.questions.kin import Kinship
from medr_jax.questions.text import words
from medr_jax.types import Edge, Hop, Kind, Relation

_NOT_FIRM = ("ESTIMATED", "delist requested")
"""Qualifiers of a date that is only planned, and of a listing that is to be removed."""

_KNOWN_BY_NUMBER = (Kind.TRIAL, Kind.PUBLICATION, Kind.PRODUCT)

Ask = tuple[tuple[Relation, Kind], ...]
"""Relations to walk one after the other, each to the values of one kind."""


class Claims:
    """Positive facts of a graph, under closure."""

    def __init__(self, graph: KnowledgeGraph, kinship: Kinship) -> None:
        self.graph = graph
        self.kinship = kinship
        self._satisfying: dict[tuple[Kind, Relation, str], frozenset[str]] = {}

    @functools.cached_property
    def asks(self) -> dict[Kind, tuple[Ask, ...]]:
        """What may be asked of subjects of each kind, in one step or two, by what is stated."""
        direct: dict[Kind, set[tuple[Relation, Kind]]] = {}
        for subject_kind in SUBJECTS:
            found = direct[subject_kind] = set()
            for subject in self.graph.entity_ids(subject_kind):
                for relation in FACTS:
                    for value in self.graph.targets(subject, relation):
                        found.add((relation, self.graph.entity(value).kind))
        return {
            kind: (
                *((one,) for one in sorted(steps)),
                *((one, two) for one in sorted(steps) for two in sorted(direct.get(one[1], ()))),
            )
            for kind, steps in direct.items()
        }

    def values(self, subject: str, relation: Relation, kind: Kind) -> tuple[str, ...]:
        """Everything of the kind that is stated, firm or not."""
        found = self.graph.targets(subject, relation)
        return tuple(one for one in found if self.graph.entity(one).kind is kind)

    def is_firm(self, subject: str, relation: Relation, value: str) -> bool:
        """Whether it is stated without reservation and nothing else in the graph denies it."""
        if value in self.graph.conflicts(subject, relation):
            return False
        stated = self.graph.edges(subject, relation, value)
        return any(not _reserved(edge) for edge in stated)

    def reach(self, subject: str, ask: Ask) -> tuple[str, ...]:
        """What the steps lead to: each but the last must lead to one entity, else nothing."""
        here = (subject,)
        for relation, kind in ask:
            if len(here) != 1:
                return ()
            here = self.values(here[0], relation, kind)
        return here

    def hops(self, subject: str, ask: Ask) -> tuple[Hop, ...]:
        """The steps as hops (the last to the first of its values), or () where one is not firm."""
        hops = []
        for relation, kind in ask:
            targets = self.values(subject, relation, kind)
            if not targets or not all(self.is_firm(subject, relation, one) for one in targets):
                return ()
            hops.append(Hop(relation=relation, source_id=subject, target_id=targets[0]))
            subject = targets[0]
        return tuple(hops)

    def clues(self, subject: str) -> list[tuple[Relation, str]]:
        """Firm facts of a subject whose value is known by a name that is its alone."""
        return [
            (relation, value)
            for relation in FACTS
            for value in self.graph.targets(subject, relation)
            if self.graph.entity(value).kind not in _KNOWN_BY_NUMBER
            and self.is_firm(subject, relation, value)
            and not self.shares_name(value)
        ]

    def satisfying(self, kind: Kind, relation: Relation, value: str) -> frozenset[str]:
        """Subjects of the kind of which the value, or something that it includes, is stated."""
        key = (kind, relation, value)
        if key not in self._satisfying:
            self._satisfying[key] = frozenset(
                subject
                for one in self.included(value)
                for subject in self.graph.sources(one, relation)
                if self.graph.entity(subject).kind is kind
            )
        return self._satisfying[key]

    def included(self, value: str) -> frozenset[str]:
        """The value and what satisfies it.

        Terms below a phenotype, diseases narrower than a disease, the salts and forms of a drug
        ("losartan potassium" is losartan), the days of a month or year.
        """
        entity = self.graph.entity(value)
        found = {value}
        if entity.kind is Kind.PHENOTYPE:
            found |= self.graph.descendants(value)
        elif entity.kind is Kind.DISEASE:
            found.update(self.kinship.narrower.get(value, ()))
        elif entity.kind is Kind.DRUG:
            own = words(entity.name)
            same_start = self._drugs_by_word.get(own[:1], ())
            found.update(one for one, called in same_start if called[: len(own)] == own)
        elif entity.kind is Kind.DATE:
            dates = self.graph.entity_ids(Kind.DATE)
            found.update(one for one in dates if one.startswith(f"{value}-"))
        return frozenset(found)

    @functools.cached_property
    def _drugs_by_word(self) -> dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]]:
        found: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}
        for drug in self.graph.entity_ids(Kind.DRUG):
            called = words(self.graph.entity(drug).name)
            found.setdefault(called[:1], []).append((drug, called))
        return found

    def shares_name(self, entity_id: str) -> bool:
        """Whether another entity of its kind has the same name."""
        kind = self.graph.entity(entity_id).kind
        others: Iterable[str] = self.graph.same_name(entity_id)
        return any(self.graph.entity(one).kind is kind for one in others)

    def satisfying_all(self, kind: Kind, clues: Sequence[tuple[Relation, str]]) -> frozenset[str]:
        """Subjects that satisfy every clue; of none, all subjects of the kind."""
        found = frozenset(self.graph.entity_ids(kind))
        for clue in clues:
            found &= self.satisfying(kind, *clue)
        return found


def _reserved(edge: Edge) -> bool:
    return any(mark in edge.qualifier for mark in _NOT_FIRM)
