"""How much a finding speaks for a disease: its likelihood ratio against the background.

With f the frequency of ``DiseaseTable``, b the background rate, h the finding, and a over h and
all terms above it:

    ratio(h | D) = noise + (1 - noise) max over a of (b(h) / b(a))^imprecision f(a | D) / b(a)

- h stated of D, or a narrower term (a = h): f(h | D) / b(h).
- h narrower than what is stated, or beside it: from D's annotation alone one would expect h as
  often among the bearers of a as everywhere, P(h | D) = f(a | D) b(h) / b(a), whose ratio is
  that of a. A record that stays broader than the finding counts for less the more it leaves
  open, hence the power of b(h) / b(a). (LIRICAL divides by the number of child terms per step.)
- h or a term above it excluded of D, and neither h nor a narrower term stated: at most
  f(a | D) / b(a), f being the excluded pair's.
- otherwise ``noise``: the share of findings that another cause has.

A finding that is present is one of those that a patient has, and who has many is seen with many
others: each one's ratio is divided by the disease's detail,

    detail(D) = (recorded(D) + unrecorded) / mean over diseases of the same

with recorded(D) the stated phenotypes that a patient of D has on average. Without this a disease
that is described at length wins because it has more chances to match.

An absent finding has ratio (1 - P(h | D)) / (1 - b(h)), with P(h | D) = ratio(h | D) b(h).
"""

import numpy as np
from jaxtyping import Float

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.findings import Findings
from medr_jax.diagnosis.table import DiseaseTable

MAX_FREQUENCY = 0.99
"""No finding is certain: a report can miss it."""


def log_ratios(
    table: DiseaseTable,
    background_N: Float[np.ndarray, "N"],
    findings: Findings,
    config: DiagnosisConfig,
    mean_recorded: float,
) -> Float[np.ndarray, "F R"]:
    """ln of each finding's ratio for each disease: present ones in order, then absent ones.

    ``mean_recorded``: the mean of ``table.recorded`` over the diseases that are compared.
    """
    detail = (table.recorded + config.unrecorded) / (mean_recorded + config.unrecorded)
    present = [
        present_ratio(table, background_N, term, config) / detail for term in findings.present
    ]
    absent = [absent_ratio(table, background_N, term, config) for term in findings.absent]
    return np.log(np.stack(present + absent))


def present_ratio(
    table: DiseaseTable,
    background_N: Float[np.ndarray, "N"],
    term: int,
    config: DiagnosisConfig,
) -> Float[np.ndarray, "R"]:
    """P(term | disease) / P(term) of each disease, before the division by its detail."""
    best = np.zeros(len(table))
    above = table.ontology.ancestors.of(term)
    for upper in above:
        rows, frequency = table.frequency.of(upper)
        weight = specificity(background_N, term, upper, config) / background_N[upper]
        best[rows] = np.maximum(best[rows], weight * frequency)
    unstated = np.ones(len(table), dtype=bool)
    unstated[table.frequency.of(term)[0]] = False
    for upper in above:
        rows, frequency = table.excluded.of(upper)
        rows, frequency = rows[unstated[rows]], frequency[unstated[rows]]
        best[rows] = np.minimum(best[rows], frequency / background_N[upper])
    return config.noise + (1 - config.noise) * best


def absent_ratio(
    table: DiseaseTable,
    background_N: Float[np.ndarray, "N"],
    term: int,
    config: DiagnosisConfig,
) -> Float[np.ndarray, "R"]:
    """P(no term | disease) / P(no term) of each disease."""
    chance = present_ratio(table, background_N, term, config) * background_N[term]
    return (1 - np.minimum(chance, MAX_FREQUENCY)) / (1 - background_N[term])


def specificity(
    background_N: Float[np.ndarray, "N"], term: int, upper: int, config: DiagnosisConfig
) -> float:
    """What a record of ``upper`` is worth for ``term``: 1 for the term itself."""
    return float((background_N[term] / background_N[upper]) ** config.imprecision)
