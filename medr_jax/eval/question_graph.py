"""A question's chain, with the neighbours that can mislead a search, as a drawing."""

from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.pages.figures import ClueSpec, Figure, StepSpec, chain_figure
from medr_jax.types import Hop, Question, Relation

MAX_NEIGHBOURS = 3

_FORWARD = {
    Relation.HAS_PHENOTYPE: "has the phenotype",
    Relation.ASSOCIATED_GENE: "is associated with the gene",
    Relation.INHERITED_AS: "is inherited as",
    Relation.HAS_ONSET: "has its onset",
    Relation.HAS_COURSE: "has the clinical course",
    Relation.IS_A: "is a",
    Relation.BROADER_THAN: "is broader than",
}
_INVERSE = {
    Relation.HAS_PHENOTYPE: "is a phenotype of",
    Relation.ASSOCIATED_GENE: "is associated with the disease",
    Relation.INHERITED_AS: "is the inheritance of",
    Relation.HAS_ONSET: "is the onset of",
    Relation.HAS_COURSE: "is the clinical course of",
    Relation.IS_A: "has the subtype",
    Relation.BROADER_THAN: "is narrower than",
}


def question_figure(question: Question, graph: KnowledgeGraph) -> Figure:
    """The chain of ``question`` from its clues to the answer, drawn with true names."""
    chain = match.entity_ids(question.chain, question.answer_id)
    incoming = (None, *question.chain.hops)
    drawn = {*chain, *(clue.entity_id for clue in question.chain.clues)}
    steps = []
    for index, (entity_id, hop) in enumerate(zip(chain, incoming, strict=False)):
        entity = graph.entity(entity_id)
        leaving = question.chain.hops[index] if index < len(question.chain.hops) else hop
        others = _neighbours(graph, entity_id, leaving, drawn)
        steps.append(
            StepSpec(
                name=entity.name,
                kind=entity.kind.value,
                relation=_arrow(hop) if hop else "",
                neighbours=others[:MAX_NEIGHBOURS],
                num_more=max(0, len(others) - MAX_NEIGHBOURS),
            )
        )
    clues = [
        ClueSpec(relation=_clue(clue.relation), text=clue.text) for clue in question.chain.clues
    ]
    return chain_figure(clues, steps)


def _clue(relation: Relation) -> str:
    return "described as" if relation is Relation.IS_A else said(relation)


def said(relation: Relation, *, inverse: bool = False) -> str:
    """The relation in words, also against its edge."""
    plain = relation.value.replace("_", " ")
    return _INVERSE.get(relation, f"{plain}, of") if inverse else _FORWARD.get(relation, plain)


def _arrow(hop: Hop) -> str:
    return said(hop.relation, inverse=hop.inverse)


def _neighbours(
    graph: KnowledgeGraph, entity_id: str, hop: Hop | None, drawn: set[str]
) -> list[str]:
    """Names of what else hangs on the entity: by the arrow that leaves it, then phenotypes.

    Closed answers (an inheritance, an onset) hang on thousands of diseases; those are drawn
    too, which shows why such an answer needs evidence.
    """
    found: list[str] = []
    if hop is not None and entity_id == hop.source_id:
        reach = graph.sources if hop.inverse else graph.targets
        found += reach(entity_id, hop.relation)
    elif hop is not None:
        reach = graph.targets if hop.inverse else graph.sources
        found += reach(entity_id, hop.relation)
    found += graph.targets(entity_id, Relation.HAS_PHENOTYPE)
    others = dict.fromkeys(other for other in found if other not in drawn)
    return [graph.entity(other).name for other in others]
