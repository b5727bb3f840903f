"""What the scripted expert knows of a question beforehand: the oracle's view of its chain."""

from medr_jax.grading import match
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Question, Record


class Briefing(Record):
    """Names and kinds of a chain's entities; small enough to send to another process."""

    names: dict[str, tuple[str, ...]]  # entity id -> its name first, then its EXACT synonyms
    kinds: dict[str, Kind]
    branches: dict[str, str]  # organ branch id -> its name

    def name(self, entity_id: str) -> str:
        """The entity's own name."""
        return self.names[entity_id][0]


def brief(graph: KnowledgeGraph, question: Question) -> Briefing:
    """Looks up everything about the chain that the expert may need."""
    chain = question.chain
    ids = set(match.entity_ids(chain, question.answer_id))
    ids |= {clue.entity_id for clue in chain.clues}
    entities = [graph.entity(entity_id) for entity_id in sorted(ids)]
    return Briefing(
        names={entity.id: (entity.name, *entity.synonyms) for entity in entities},
        kinds={entity.id: entity.kind for entity in entities},
        branches={
            hop.within_id: graph.entity(hop.within_id).name for hop in chain.hops if hop.within_id
        },
    )
