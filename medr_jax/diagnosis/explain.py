"""Why a finding speaks for or against a disease: what is stated, how often, by whom."""

from enum import StrEnum

import numpy as np
from jaxtyping import Float
from scipy import stats

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.findings import Findings
from medr_jax.diagnosis.likelihood import specificity
from medr_jax.diagnosis.statements import frequency_text
from medr_jax.diagnosis.table import DiseaseTable
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Record, Relation


class Basis(StrEnum):
    """How a disease's annotation bears on a finding."""

    STATED = "stated"
    NARROWER = "narrower term stated"
    BROADER = "related term stated"  # above the finding, or under a common ancestor
    EXCLUDED = "reported absent"
    NOTHING = "not stated"


class Contribution(Record):
    """One finding's part in a disease's log-odds."""

    finding_id: str
    finding: str
    absent: bool
    log_odds: float
    basis: Basis
    stated_id: str = ""  # the annotation behind it, "" where there is none
    stated: str = ""
    frequency: str = ""  # as the sources state it: "14/15", "30-79%"
    low: float | None = None  # 95% interval of the stated pair's frequency
    high: float | None = None
    references: tuple[str, ...] = ()


def contributions(
    graph: KnowledgeGraph,
    table: DiseaseTable,
    background_N: Float[np.ndarray, "N"],
    config: DiagnosisConfig,
    row: int,
    findings: Findings,
    log_odds_F: Float[np.ndarray, "F"],
) -> tuple[Contribution, ...]:
    """One for each finding, in the order of ``log_ratios``."""
    made = []
    terms = (*findings.present, *findings.absent)
    for place, (term, log_odds) in enumerate(zip(terms, log_odds_F.tolist(), strict=True)):
        basis, stated = _basis(table, background_N, config, row, term)
        term_id = table.ontology.term_ids[term]
        made.append(
            Contribution(
                finding_id=term_id,
                finding=graph.entity(term_id).name,
                absent=place >= len(findings.present),
                log_odds=log_odds,
                basis=basis,
                **({} if stated is None else _provenance(graph, table, row, stated)),
            )
        )
    return tuple(made)


def _basis(
    table: DiseaseTable,
    background_N: Float[np.ndarray, "N"],
    config: DiagnosisConfig,
    row: int,
    term: int,
) -> tuple[Basis, int | None]:
    """The basis, and the term that the disease's annotation has for it."""
    if table.beta_of(row, term) is not None:
        return Basis.STATED, term
    ontology = table.ontology
    if (narrower := _most_frequent_below(table, row, term)) is not None:
        return Basis.NARROWER, narrower
    above = ontology.ancestors.of(term)
    for upper in above:
        if row in table.excluded.of(upper)[0]:
            return Basis.EXCLUDED, int(upper)
    weights = []
    for upper in above:
        rows, frequency = table.frequency.of(upper)
        place = np.searchsorted(rows, row)
        held = place < len(rows) and rows[place] == row
        value = frequency[place] if held else 0.0
        weights.append(specificity(background_N, term, upper, config) * value / background_N[upper])
    best = int(np.argmax(weights))
    if weights[best] <= 1:  # no more than everywhere: sharing the root says nothing
        return Basis.NOTHING, None
    return Basis.BROADER, _most_frequent_below(table, row, int(above[best]))


def _most_frequent_below(table: DiseaseTable, row: int, term: int) -> int | None:
    """Of the disease's stated terms that are ``term`` or below, the one with the highest mean."""
    stated = table.terms_of(row)
    below = np.flatnonzero(np.isin(stated, table.ontology.descendants.of(term)))
    if not len(below):
        return None
    alpha, beta = table.pair_betas[table.pair_starts[row] + below].T
    return int(stated[below[np.argmax(alpha / (alpha + beta))]])


def _provenance(graph: KnowledgeGraph, table: DiseaseTable, row: int, term: int) -> dict:
    term_id = table.ontology.term_ids[term]
    edges = graph.edges(table.disease_ids[row], Relation.HAS_PHENOTYPE, term_id)
    found = {
        "stated_id": term_id,
        "stated": graph.entity(term_id).name,
        "frequency": ", ".join(dict.fromkeys(filter(None, map(frequency_text, edges)))),
        "references": tuple(dict.fromkeys(r for edge in edges for r in edge.references)),
    }
    if posterior := table.beta_of(row, term):
        low, high = stats.beta.ppf([0.025, 0.975], *posterior)
        found |= {"low": float(low), "high": float(high)}
    return found
