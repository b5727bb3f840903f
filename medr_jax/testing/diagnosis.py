"""A small ontology, and graphs over it whose numbers can be worked out by hand.

HP:0000118
├── HP:1 ── HP:11 ── HP:111
│      └── HP:12
└── HP:2 ── HP:21
"""

from medr_jax.diagnosis.config import TableConfig
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import read_statements
from medr_jax.diagnosis.table import DiseaseTable, build_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

PARENTS = {
    "HP:1": "HP:0000118",
    "HP:2": "HP:0000118",
    "HP:11": "HP:1",
    "HP:12": "HP:1",
    "HP:111": "HP:11",
    "HP:21": "HP:2",
}


def stated(disease: str, term: str, frequency: str = "", *, absent: bool = False, **fields) -> Edge:
    """An annotation as the HPO reader makes it."""
    affected = observed = None
    if "/" in frequency:
        affected, observed = map(int, frequency.split("/"))
    return Edge(
        source=disease,
        relation=Relation.HAS_PHENOTYPE,
        target=term,
        polarity=Polarity.EXCLUDED if absent or affected == 0 else Polarity.POSITIVE,
        num_affected=affected,
        num_observed=observed,
        frequency=frequency,
        references=fields.get("references", ("PMID:1",)),
        origin=f"phenotype.hpoa 2031-02-03 ({fields.get('database', 'OMIM')}:1)",
    )


def make_graph(*annotations: Edge) -> KnowledgeGraph:
    """A graph of the ontology above and these annotations."""
    terms = ["HP:0000118", *PARENTS]
    entities = [Entity(id=term, kind=Kind.PHENOTYPE, name=f"Term {term}") for term in terms]
    entities += [
        Entity(id=disease, kind=Kind.DISEASE, name=f"Disease {disease}")
        for disease in sorted({edge.source for edge in annotations})
    ]
    is_a = [
        Edge(source=child, relation=Relation.IS_A, target=parent)
        for child, parent in PARENTS.items()
    ]
    return KnowledgeGraph.from_records(
        entities,
        [*annotations, *is_a],
        snapshot="HPO 2031-02-03",
        alternative_ids={"HP:999": "HP:11"},
    )


def make_table(graph: KnowledgeGraph, **config) -> DiseaseTable:
    """The table of a graph."""
    ontology = Ontology.from_graph(graph)
    diseases = tuple(graph.entity_ids(Kind.DISEASE))
    return build_table(read_statements(graph, ontology), diseases, ontology, TableConfig(**config))


def small_graph() -> KnowledgeGraph:
    """Counts, bands, a percentage, silence and absences: five diseases, of which four count."""
    return make_graph(
        stated("D:1", "HP:11", "14/15"),
        stated("D:1", "HP:21", "HP:0040283"),
        stated("D:2", "HP:111", "3/4"),
        stated("D:2", "HP:12"),
        stated("D:3", "HP:21", "HP:0040281", database="ORPHA"),
        stated("D:3", "HP:11", absent=True, database="ORPHA"),
        stated("D:4", "HP:2", "40%"),
        stated("D:5", "HP:21", "0/7"),
    )
