"""What the annotation corpus states of a disease and a phenotype, as observed individuals.

Every statement becomes ``affected`` of ``observed`` individuals, so that they add up:

- ``n/m``: n of m reported individuals, as counted;
- a band ("Frequent, 30 to 79%") is an interval. It weighs as many individuals as give a Beta
  with the band's mean and the variance of the uniform over it: with mean p and width w,
  m = 12 p (1 - p) / w² - 1, and at most ``MAX_BAND_INDIVIDUALS``;
- ``40%`` without a count weighs ``PERCENT_INDIVIDUALS``;
- excluded without a count (NOT, "Excluded") is 0 of ``EXCLUDED_INDIVIDUALS``;
- unstated adds nobody: the prior of ``DiagnosisConfig`` is all there is.
"""

import dataclasses
import re

import numpy as np
from jaxtyping import Bool, Float, Int

from medr_jax.diagnosis.ontology import Ontology
from medr_jax.graph.columns import POLARITIES, RELATIONS
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Kind, Polarity, Relation

BANDS = {
    "HP:0040280": (1.0, 1.0),  # Obligate
    "HP:0040281": (0.80, 0.99),  # Very frequent
    "HP:0040282": (0.30, 0.79),  # Frequent
    "HP:0040283": (0.05, 0.29),  # Occasional
    "HP:0040284": (0.01, 0.04),  # Very rare
}
"""HPO frequency terms (children of HP:0040279) -> share of patients, from and to."""

MAX_BAND_INDIVIDUALS = 20.0  # ours: a band is somebody's estimate, not a count of hundreds
PERCENT_INDIVIDUALS = 10.0  # ours
EXCLUDED_INDIVIDUALS = 10.0  # ours: an explicit NOT is as strong as 0 of 10

_READABLE = re.compile(r"\d")
_PERCENT = re.compile(r"(\d+(?:\.\d*)?)\s*%")
_DATABASE = re.compile(r"\((\w+):[^)]*\)$")


@dataclasses.dataclass(kw_only=True, slots=True)
class Statements:
    """S statements "disease has phenotype", in the order of the graph's edges."""

    rows: Int[np.ndarray, "S"]  # the disease, as a row of the table to be
    terms: Int[np.ndarray, "S"]
    affected: Float[np.ndarray, "S"]
    observed: Float[np.ndarray, "S"]
    excluded: Bool[np.ndarray, "S"]
    counts: Int[np.ndarray, "S 2"]  # n and m where the source counts, else -1
    databases: Int[np.ndarray, "S"]  # index into ``database_names``
    references: Int[np.ndarray, "S"]  # index into ``reference_lists``
    database_names: tuple[str, ...]  # "OMIM", "ORPHA", ...
    reference_lists: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, kept: np.ndarray) -> "Statements":
        """Those of a mask or an index array."""
        changed = {
            field.name: getattr(self, field.name)[kept]
            for field in dataclasses.fields(self)
            if field.name not in ("database_names", "reference_lists")
        }
        return dataclasses.replace(self, **changed)

    def of_database(self, name: str) -> "Statements":
        """Those that one database makes. Raises ValueError for a name the graph does not have."""
        if name not in self.database_names:
            raise ValueError(
                f"diagnosis.database={name!r}: choose one of {list(self.database_names)}, or "
                '"" for all'
            )
        return self.where(self.databases == self.database_names.index(name))


def read_statements(graph: KnowledgeGraph, ontology: Ontology) -> Statements:
    """Every HAS_PHENOTYPE edge; row i is the i-th disease of the graph."""
    arrays, texts = graph.columns.arrays, graph.columns.texts
    wanted = arrays["relation"] == RELATIONS.index(Relation.HAS_PHENOTYPE)
    column = {name: values[wanted] for name, values in arrays.items()}
    excluded = column["polarity"] == POLARITIES.index(Polarity.EXCLUDED)
    counts = np.stack([column["num_affected"], column["num_observed"]], axis=1)

    read = np.array([_individuals(text) for text in texts["frequency"]])
    affected, observed = read[column["frequency"]].T
    counted = counts[:, 1] > 0
    affected = np.where(counted, counts[:, 0], affected)
    observed = np.where(counted, counts[:, 1], observed)
    silent = excluded & (observed == 0)
    observed = np.where(silent, EXCLUDED_INDIVIDUALS, observed)

    names, codes = _databases(texts["origin"])
    return Statements(
        rows=_numbers(graph, graph.entity_ids(Kind.DISEASE))[column["source"]],
        terms=_numbers(graph, ontology.term_ids)[column["target"]],
        affected=np.where(excluded, 0.0, affected),
        observed=observed,
        excluded=excluded,
        counts=np.where(counted[:, None], counts, -1),
        databases=codes[column["origin"]],
        references=column["references"],
        database_names=names,
        reference_lists=tuple(map(tuple, texts["references"])),
    )


def frequency_text(edge: Edge) -> str:
    """A frequency as a person reads it: "14/15", "30-79%", "" where none is stated."""
    if edge.frequency not in BANDS:
        return edge.frequency if _READABLE.match(edge.frequency) else ""
    low, high = BANDS[edge.frequency]
    return f"{low:.0%}" if low == high else f"{100 * low:.0f}-{high:.0%}"


def _individuals(frequency: str) -> tuple[float, float]:
    """Affected and observed of one frequency text; n/m is read elsewhere."""
    if frequency in BANDS:
        low, high = BANDS[frequency]
        mean, width = (low + high) / 2, high - low
        moments = 12 * mean * (1 - mean) / width**2 - 1 if width else MAX_BAND_INDIVIDUALS
        observed = min(moments, MAX_BAND_INDIVIDUALS)
        return mean * observed, observed
    if percent := _PERCENT.fullmatch(frequency):
        share = min(float(percent[1]) / 100, 1.0)
        return share * PERCENT_INDIVIDUALS, PERCENT_INDIVIDUALS
    return 0.0, 0.0


def _databases(origins: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Which database each origin text ends with: "phenotype.hpoa 2031-02-03 (OMIM:1)"."""
    found = [match[1] if (match := _DATABASE.search(text)) else "" for text in origins]
    names = tuple(sorted(set(found)))
    return names, np.array([names.index(name) for name in found], dtype=np.int64)


def _numbers(graph: KnowledgeGraph, entity_ids: tuple[str, ...]) -> Int[np.ndarray, "E"]:
    """Position in the graph -> number in ``entity_ids``; -1 for other entities."""
    numbers = np.full(len(graph), -1, dtype=np.int64)
    numbers[[graph.position(entity_id) for entity_id in entity_ids]] = np.arange(len(entity_ids))
    return numbers
