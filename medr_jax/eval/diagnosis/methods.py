"""The three ways to rank diseases, over one knowledge base."""

import dataclasses
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.likelihood import log_ratios
from medr_jax.diagnosis.table import DiseaseTable, background_rate
from medr_jax.eval.diagnosis.cohorts import Patient
from medr_jax.eval.diagnosis.similarity import (
    Measure,
    best_match_average,
    information_content,
    term_similarity,
)


class Method(StrEnum):
    """What a disease is scored by."""

    likelihood = "likelihood"
    resnik = "resnik"
    lin = "lin"


@dataclasses.dataclass(kw_only=True, slots=True)
class KnowledgeBase:
    """What is known to every method, with what is held out for each patient.

    ``rest`` has, as row ``patient.number``, the patient's disease without the patient's paper;
    None when nothing is held out.
    """

    table: DiseaseTable
    config: DiagnosisConfig
    rest: DiseaseTable | None = None

    def scores(self, method: Method, patient: Patient) -> Float[np.ndarray, "R"]:
        """The score of every disease; more is better."""
        if method is Method.likelihood:
            return self._likelihood(patient)
        return self._similarity(Measure(str(method)), patient)

    def row(self, patient: Patient) -> int:
        """The patient's disease as a row of the table."""
        return self.table.disease_ids.index(patient.disease_id)

    def _likelihood(self, patient: Patient) -> Float[np.ndarray, "R"]:
        sums = self.table.frequency.sums()
        row = self.row(patient)
        if self.rest is not None:
            sums += self.rest.frequency.dense_row(patient.number) - self.table.frequency.dense_row(
                row
            )
        background = background_rate(sums, len(self.table))
        settings = (background, patient.findings, self.config, float(self.table.recorded.mean()))
        scores = log_ratios(self.table, *settings).sum(axis=0)
        if self.rest is not None:
            rest = log_ratios(self.rest, *settings)
            scores[row] = rest[:, patient.number].sum()
        return scores

    def _similarity(self, measure: Measure, patient: Patient) -> Float[np.ndarray, "R"]:
        """Absent findings are left out: these measures know none."""
        table, row = self.table, self.row(patient)
        counts = np.diff(table.frequency.starts)
        if self.rest is not None:
            counts = counts + (self.rest.frequency.dense_row(patient.number) > 0)
            counts -= table.frequency.dense_row(row) > 0
        content = information_content(counts, len(table))
        similar = np.stack(
            [
                term_similarity(table.ontology, content, term, measure)
                for term in patient.findings.present
            ]
        )
        scores = best_match_average(similar, table.pair_starts, table.pair_terms)
        if self.rest is not None:
            terms = self.rest.terms_of(patient.number)
            scores[row] = best_match_average(similar, np.array([0, len(terms)]), terms)[0]
        return scores
