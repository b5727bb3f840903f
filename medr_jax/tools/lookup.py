"""The ``lookup`` tool."""

from collections import defaultdict
from collections.abc import Container, Iterator
from typing import Annotated

from msgspec import Meta

from medr_jax.diagnosis.statements import frequency_text
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.names import fold
from medr_jax.retrieval.analysis import plain
from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.tools.schema import parameters_of
from medr_jax.types import Edge, Entity, Hit, Polarity, Relation

MAX_NAME_CHARS = 300
MAX_PAGES = 1000
_SHOWN_REFERENCES = 3
_SHOWN_CANDIDATES = 10

_INVERSE = {
    Relation.HAS_PHENOTYPE: "phenotype_of",
    Relation.ASSOCIATED_GENE: "gene_of",
    Relation.INHERITED_AS: "inheritance_of",
    Relation.HAS_ONSET: "onset_of",
    Relation.HAS_COURSE: "course_of",
    Relation.IS_A: "includes",
    Relation.BROADER_THAN: "narrower_than",
}
"""How a relation is called from its target's side; others get "inverse of" before them."""


class LookupTool:
    """What the knowledge graph states about one entity, each fact with where it is from.

    The entity comes as one hit, so that it can be cited; its snippet holds a page of facts.
    """

    name = "lookup"
    description = (
        "Facts of the knowledge graph about one disease, phenotype or gene, with their sources. "
        "Takes a name, a synonym or an identifier such as HP:0001166 or OMIM:154700."
    )

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        facts_per_page: int,
        exclude: Container[str] = frozenset(),
    ) -> None:
        self._graph = graph
        self._facts_per_page = facts_per_page
        self._exclude = exclude
        self._named = _names(graph)
        relations = ["", *map(str, graph.relations), *map(_inverse, graph.relations)]
        self.parameters = parameters_of(self.__call__, {"relation": {"enum": relations}})

    def __call__(
        self,
        entity: Annotated[
            str,
            Meta(description="name or identifier", min_length=1, max_length=MAX_NAME_CHARS),
        ],
        relation: Annotated[str, Meta(description='only facts of this relation; "" for all')] = "",
        page: Annotated[int, Meta(description="page of facts", ge=1, le=MAX_PAGES)] = 1,
    ) -> ToolOutput:
        """One entity with its facts; several that share the name, with nothing but who they are."""
        found = self._find(entity)
        if not found:
            raise ToolError(f"no entity {plain(entity)[:60]!r}; search for it, then give its id")
        if len(found) > 1:
            shown = [self._hit(one, "") for one in found[:_SHOWN_CANDIDATES]]
            text = f"{len(found)} entities have this name; give the identifier of one."
            return ToolOutput(hits=tuple(shown), text=text)
        facts = list(self._facts(found[0].id, relation))
        pages = max(1, -(-len(facts) // self._facts_per_page))
        if page > pages:
            raise ToolError(f"page {page} is beyond the last one, which is {pages}")
        first = (page - 1) * self._facts_per_page
        shown = facts[first : first + self._facts_per_page]
        head = _identity(found[0]) if page == 1 else ""
        snippet = " ".join(filter(None, [head, *_grouped(shown)])) or "No facts."
        text = f"Page {page} of {pages}; {len(facts)} facts." if pages > 1 else ""
        return ToolOutput(hits=(self._hit(found[0], snippet),), text=text)

    def _find(self, written: str) -> list[Entity]:
        """By identifier (also of another registry), else by name or synonym, in order of id."""
        joined = "".join(written.split())
        for candidate in (written.strip(), joined, joined.upper()):
            found = self._graph.alternative_ids.get(candidate, candidate)
            if found in self._graph:
                return [] if found in self._exclude else [self._graph.entity(found)]
        named = self._named.get(fold(written), ())
        return [self._graph.entity(found) for found in named if found not in self._exclude]

    def _hit(self, entity: Entity, snippet: str) -> Hit:
        return Hit(
            doc_id=entity.id,
            title=plain(entity.name),
            kind=str(entity.kind),
            snippet=plain(snippet),
        )

    def _facts(self, entity_id: str, wanted: str) -> Iterator[tuple[str, str]]:
        """(relation, fact) in order of relation and id, excluded entities left out."""
        for relation in self._graph.relations:
            for label, pairs in (
                (str(relation), self._pairs(entity_id, relation, inverse=False)),
                (_inverse(relation), self._pairs(entity_id, relation, inverse=True)),
            ):
                if wanted in ("", label):
                    for other, edges in pairs:
                        entity = self._graph.entity(other)
                        yield label, f"{entity.name} ({other}){_provenance(edges)}"

    def _pairs(
        self, entity_id: str, relation: Relation, *, inverse: bool
    ) -> Iterator[tuple[str, tuple[Edge, ...]]]:
        near = self._graph.sources if inverse else self._graph.targets
        others = {other for polarity in Polarity for other in near(entity_id, relation, polarity)}
        for other in sorted(others):
            if other not in self._exclude:
                source, target = (other, entity_id) if inverse else (entity_id, other)
                yield other, self._graph.edges(source, relation, target)


def _inverse(relation: Relation) -> str:
    return _INVERSE.get(relation, f"inverse of {relation}")


def _names(graph: KnowledgeGraph) -> dict[str, tuple[str, ...]]:
    """Folded name, synonym or identifier of another registry -> entities, in order of id."""
    named: dict[str, set[str]] = defaultdict(set)
    for entity_id in graph.entity_ids():
        entity = graph.entity(entity_id)
        for text in (entity.name, *entity.synonyms, *entity.xrefs):
            named[fold(text)].add(entity_id)
    return {text: tuple(sorted(ids)) for text, ids in named.items()}


def _identity(entity: Entity) -> str:
    """Who it is, in a few sentences."""
    parts = [f"{entity.id}, {entity.kind}."]
    if entity.definition:
        parts.append(f"Definition: {entity.definition}")
    if entity.synonyms:
        parts.append(f"Synonyms: {'; '.join(entity.synonyms)}.")
    if entity.xrefs:
        parts.append(f"Identifiers: {', '.join(entity.xrefs)}.")
    return " ".join(parts)


def _grouped(facts: list[tuple[str, str]]) -> Iterator[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for relation, fact in facts:
        groups[relation].append(fact)
    for relation, texts in groups.items():
        yield f"{relation}: {'; '.join(texts)}."


def _provenance(edges: tuple[Edge, ...]) -> str:
    """`` [14/15 PMID:1, reported absent ORPHA:2]``: frequency and source of each statement."""
    stated = []
    for edge in edges:
        words = ["reported absent"] if edge.polarity is Polarity.EXCLUDED else []
        words += filter(None, [edge.qualifier, edge.date, frequency_text(edge)])
        words += edge.references[:_SHOWN_REFERENCES]
        words += [] if edge.references else [edge.origin]
        stated.append(" ".join(words))
    return f" [{', '.join(dict.fromkeys(stated))}]" if any(stated) else ""
