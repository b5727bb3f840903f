"""Which diseases satisfy a phenotype under the ontology's closure."""

from collections.abc import Iterable, Iterator

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Relation

PHENOTYPE_ROOT = "HP:0000118"
"""Phenotypic abnormality; its children are the organ branches."""
INHERITANCE_QUALIFIER = "HP:0034335"
"""Terms such as "Typified by incomplete penetrance": not a mode of inheritance."""


class Closure:
    """Sets of diseases as bit masks: a disease annotated with a descendant satisfies a term.

    One Python integer per term, bit i for the i-th disease in order of id, filled on demand.
    Intersections of clues are then single ``&`` operations.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.diseases = tuple(graph.entity_ids(Kind.DISEASE))
        self._bit = {disease: 1 << number for number, disease in enumerate(self.diseases)}
        self.everything = (1 << len(self.diseases)) - 1
        self._masks: dict[str, int] = {}

    def mask(self, term_id: str) -> int:
        """Diseases annotated with the term or with one of its descendants."""
        if term_id not in self._masks:
            mask = 0
            for disease in self.graph.sources(term_id, Relation.HAS_PHENOTYPE):
                mask |= self._bit[disease]
            for child in self.graph.children(term_id):
                mask |= self.mask(child)
            self._masks[term_id] = mask
        return self._masks[term_id]

    def count(self, term_id: str) -> int:
        """Number of diseases that satisfy the term."""
        return self.mask(term_id).bit_count()

    def members(self, mask: int) -> Iterator[str]:
        """Diseases of a mask in order of id."""
        while mask:
            lowest = mask & -mask
            yield self.diseases[lowest.bit_length() - 1]
            mask ^= lowest

    def mask_of(self, diseases: Iterable[str]) -> int:
        """Mask of the given diseases."""
        mask = 0
        for disease in diseases:
            mask |= self._bit[disease]
        return mask
