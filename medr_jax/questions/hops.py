"""Functional steps: relations that lead from an entity to exactly one entity."""

from enum import StrEnum
from typing import NamedTuple

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.closure import INHERITANCE_QUALIFIER, PHENOTYPE_ROOT, Closure
from medr_jax.types import OPEN_KINDS, Hop, Kind, Polarity, Relation


class Form(StrEnum):
    """A relation with the direction in which a hop walks it."""

    GENE = "gene"  # disease -> the only (other) associated gene
    INHERITANCE = "inheritance"  # disease -> the only annotated mode
    ONSET = "onset"  # disease -> the only annotated onset
    COURSE = "course"  # disease -> the only annotated clinical course
    PHENOTYPE = "phenotype"  # disease -> the only annotated phenotype below an organ branch
    GENE_DISEASE = "gene_disease"  # gene -> the only (other) disease
    PHENOTYPE_DISEASE = "phenotype_disease"  # phenotype -> the only (other) disease
    PARENT = "parent"  # phenotype -> its only parent term
    # Steps of single questions, never of a longer chain (``questions.forms``).
    COUNTED = "counted"  # disease -> the only phenotype reported in n of m individuals
    ABSENT = "absent"  # disease -> the only phenotype reported absent
    FACT = "fact"  # a drug, product, trial ... -> what is stated of it


FORMS = {
    (Relation.ASSOCIATED_GENE, False): Form.GENE,
    (Relation.INHERITED_AS, False): Form.INHERITANCE,
    (Relation.HAS_ONSET, False): Form.ONSET,
    (Relation.HAS_COURSE, False): Form.COURSE,
    (Relation.HAS_PHENOTYPE, False): Form.PHENOTYPE,
    (Relation.ASSOCIATED_GENE, True): Form.GENE_DISEASE,
    (Relation.HAS_PHENOTYPE, True): Form.PHENOTYPE_DISEASE,
    (Relation.IS_A, False): Form.PARENT,
}
_MAY_LEAD_TO_THE_OTHER = frozenset({Form.GENE, Form.GENE_DISEASE, Form.PHENOTYPE_DISEASE})
_PLAIN_DISEASE_RELATIONS = (
    Relation.ASSOCIATED_GENE,
    Relation.INHERITED_AS,
    Relation.HAS_ONSET,
    Relation.HAS_COURSE,
)


def form_of(hop: Hop) -> Form:
    """What a hop of any question asks."""
    if hop.count:
        return Form.COUNTED
    if hop.polarity is Polarity.EXCLUDED:
        return Form.ABSENT
    return FORMS.get((hop.relation, hop.inverse), Form.FACT)


class Step(NamedTuple):
    """What a hop asks, without saying of whom."""

    relation: Relation
    inverse: bool
    within_id: str

    @classmethod
    def of(cls, hop: Hop) -> "Step":
        """The step that ``hop`` makes."""
        return cls(hop.relation, hop.inverse, hop.within_id)

    @property
    def form(self) -> Form:
        """Relation and direction."""
        return FORMS[self.relation, self.inverse]


class HopFinder:
    """Functional hops of a graph, with the limits that keep a chain meaningful."""

    def __init__(self, graph: KnowledgeGraph, closure: Closure, *, max_degree: int) -> None:
        self.graph = graph
        self.closure = closure
        self.max_degree = max_degree
        known = PHENOTYPE_ROOT in graph
        self.branches = tuple(graph.children(PHENOTYPE_ROOT)) if known else ()
        self._too_broad = frozenset({PHENOTYPE_ROOT, *self.branches})
        below = (child for branch in self.branches for child in graph.children(branch))
        self._guessable_parents = self._too_broad.union(below)
        self._not_a_mode = (
            graph.descendants(INHERITANCE_QUALIFIER) | {INHERITANCE_QUALIFIER}
            if INHERITANCE_QUALIFIER in graph
            else frozenset()
        )
        self._branches_of: dict[str, tuple[str, ...]] = {}
        self._branched: dict[str, dict[str, tuple[str, ...]]] = {}
        self._answers: dict[tuple[Relation, bool], dict[str, tuple[str, ...]]] = {
            walked: {} for walked in FORMS
        }

    def candidates(self, source_id: str, step: Step) -> tuple[str, ...]:
        """All entities that answer the step asked of ``source_id``, functional or not.

        Phenotype -> disease is under closure; within a branch, the branch's own term counts too.
        """
        if step.within_id:
            return self._by_branch(source_id).get(step.within_id, ())
        known = self._answers[step.relation, step.inverse]
        if source_id not in known:
            if step.form is Form.PHENOTYPE_DISEASE:
                known[source_id] = tuple(self.closure.members(self.closure.mask(source_id)))
            else:
                look_up = self.graph.sources if step.inverse else self.graph.targets
                known[source_id] = look_up(source_id, step.relation)
        return known[source_id]

    def target(self, source_id: str, step: Step, previous_id: str = "") -> str:
        """The one entity that the step leads to, or "" if there is none or several.

        Between diseases and their genes, and from a phenotype to its diseases, the entity that
        the chain came from does not count: a gene with two diseases, reached from one, leads to
        the other. A step never leads back.
        """
        found = self.candidates(source_id, step)
        if step.form in _MAY_LEAD_TO_THE_OTHER:
            found = [one for one in found if one != previous_id]
        return found[0] if len(found) == 1 and found[0] != previous_id else ""

    def hops(self, source_id: str, previous_id: str = "") -> list[Hop]:
        """Functional hops that a chain may take from ``source_id``.

        ``previous_id`` is where the chain came from. Hubs, qualifiers of inheritance, organ
        branches, parents right below a branch and contradicted annotations are never targets,
        and a disease reached from a phenotype is annotated with that very term, so that a
        document shows it.
        """
        hops = []
        for step in self._steps(source_id):
            target_id = self.target(source_id, step, previous_id)
            if target_id and self._allowed(source_id, step, target_id):
                hops.append(
                    Hop(
                        relation=step.relation,
                        source_id=source_id,
                        target_id=target_id,
                        inverse=step.inverse,
                        within_id=step.within_id,
                    )
                )
        return hops

    def branches_of(self, term_id: str) -> tuple[str, ...]:
        """Organ branches that the term lies in or is."""
        if term_id not in self._branches_of:
            above = self.graph.ancestors(term_id)
            self._branches_of[term_id] = tuple(
                branch for branch in self.branches if branch in above or branch == term_id
            )
        return self._branches_of[term_id]

    def _steps(self, source_id: str) -> list[Step]:
        kind = self.graph.entity(source_id).kind
        if kind is Kind.GENE:
            return [Step(Relation.ASSOCIATED_GENE, True, "")]
        if kind is Kind.PHENOTYPE:
            return [Step(Relation.HAS_PHENOTYPE, True, ""), Step(Relation.IS_A, False, "")]
        if kind is not Kind.DISEASE:
            return []
        steps = [Step(relation, False, "") for relation in _PLAIN_DISEASE_RELATIONS]
        branches = sorted(self._by_branch(source_id))
        return steps + [Step(Relation.HAS_PHENOTYPE, False, branch) for branch in branches]

    def _by_branch(self, disease_id: str) -> dict[str, tuple[str, ...]]:
        """Annotated phenotypes of a disease by the organ branches that they lie in or are."""
        if disease_id not in self._branched:
            found: dict[str, tuple[str, ...]] = {}
            for term in self.graph.targets(disease_id, Relation.HAS_PHENOTYPE):
                for branch in self.branches_of(term):
                    found[branch] = (*found.get(branch, ()), term)
            self._branched[disease_id] = found
        return self._branched[disease_id]

    def _allowed(self, source_id: str, step: Step, target_id: str) -> bool:
        form = step.form
        if form is Form.INHERITANCE and target_id in self._not_a_mode:
            return False
        if form is Form.PHENOTYPE and target_id in self._too_broad:
            return False
        if form is Form.PARENT and target_id in self._guessable_parents:
            return False
        ends = (target_id, source_id) if step.inverse else (source_id, target_id)
        if ends[1] in self.graph.conflicts(ends[0], step.relation):
            return False
        if form is Form.PHENOTYPE_DISEASE:
            annotated = self.graph.targets(target_id, Relation.HAS_PHENOTYPE)
            if source_id not in annotated:
                return False
        is_open = self.graph.entity(target_id).kind in OPEN_KINDS
        return not is_open or self.graph.degree(target_id) <= self.max_degree


def functional_hops(
    graph: KnowledgeGraph, entity_id: str, previous_id: str = "", *, max_degree: int = 1 << 30
) -> list[Hop]:
    """Functional hops from one entity; for many entities keep a ``HopFinder``."""
    return HopFinder(graph, Closure(graph), max_degree=max_degree).hops(entity_id, previous_id)
