"""Findings to a differential diagnosis, with what each finding contributed.

Research software. Shares are relative to the diseases that are annotated; only where the user
gives a prior are they probabilities, and then as good as that prior.
"""

import dataclasses
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import special

from medr_jax import jsonl
from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.explain import Contribution, contributions
from medr_jax.diagnosis.findings import Findings, read_findings
from medr_jax.diagnosis.likelihood import log_ratios
from medr_jax.diagnosis.table import DiseaseTable
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Record

NOTICE = "Research software, not medical advice."
_MAX_PRIOR_SUM = 1 + 1e-9


class Prior(Record):
    """One line of ``diagnosis.prior_file``."""

    disease: str
    prior: float


class Candidate(Record):
    """One disease of the differential. ``log_odds`` is against a patient of any disease."""

    disease_id: str
    name: str
    share: float
    log_odds: float
    recorded: float  # stated phenotypes that a patient has on average; many weaken each finding
    contributions: tuple[Contribution, ...]


class Differential(Record):
    """The best candidates, and what is left for the others and for ``none of these``."""

    candidates: tuple[Candidate, ...]
    none_share: float
    num_diseases: int
    is_probability: bool  # True only with a prior of the user's
    implied: tuple[tuple[str, str], ...]  # findings left out, and the one that implies each
    snapshot: str
    notice: str = NOTICE


@dataclasses.dataclass(kw_only=True, slots=True)
class Diagnosis:
    """A disease table ready to answer; ``graph`` gives names and sources."""

    graph: KnowledgeGraph
    table: DiseaseTable
    config: DiagnosisConfig
    background_N: Float[np.ndarray, "N"] = dataclasses.field(init=False)
    recorded_R: Float[np.ndarray, "R"] = dataclasses.field(init=False)
    log_prior_R: Float[np.ndarray, "R"] = dataclasses.field(init=False)
    log_none: float = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.background_N = self.table.background
        self.recorded_R = self.table.recorded
        self.log_prior_R, self.log_none = _log_priors(self.graph, self.table, self.config)

    def shares(
        self, log_odds_R: Float[np.ndarray, "R"], exclude: Container[str] = frozenset()
    ) -> Float[np.ndarray, "R+1"]:
        """share(D) ∝ prior(D) exp(log_odds(D)); ``none of these``, last, has log-odds 0."""
        scores = self.log_prior_R + log_odds_R
        if exclude:
            hidden = [disease_id in exclude for disease_id in self.table.disease_ids]
            scores = np.where(hidden, -np.inf, scores)
        return special.softmax(np.append(scores, self.log_none))

    def differential(
        self,
        present: Iterable[str],
        absent: Iterable[str] = (),
        *,
        exclude: Container[str] = frozenset(),
    ) -> Differential:
        """The ``num_shown`` best diseases, ties in order of id.

        Args:
            present: phenotype ids, current or replaced ones.
            absent: phenotype ids that were looked for and not found.
            exclude: diseases that are not considered.

        Raises:
            ValueError: no finding, an unknown id, or one that is both present and absent.
        """
        findings = self.findings(present, absent)
        mean_recorded = float(self.recorded_R.mean())
        ratios_FR = log_ratios(self.table, self.background_N, findings, self.config, mean_recorded)
        ratios_FR /= self.config.temperature
        log_odds_R = ratios_FR.sum(axis=0)
        shares = self.shares(log_odds_R, exclude)
        best = np.argsort(-shares[:-1], kind="stable")[: self.config.num_shown]
        return Differential(
            candidates=tuple(
                self._candidate(row, findings, ratios_FR[:, row], float(shares[row]))
                for row in best.tolist()
                if shares[row] > 0
            ),
            none_share=float(shares[-1]),
            num_diseases=int(np.count_nonzero(shares[:-1])),
            is_probability=bool(self.config.prior_file),
            implied=findings.implied,
            snapshot=self.graph.snapshot,
        )

    def findings(self, present: Iterable[str], absent: Iterable[str] = ()) -> Findings:
        """Ids, which may be replaced ones, as findings that do not imply each other."""
        renamed = self.graph.alternative_ids
        return read_findings(
            self.table.ontology,
            [renamed.get(term_id, term_id) for term_id in present],
            [renamed.get(term_id, term_id) for term_id in absent],
        )

    def _candidate(
        self, row: int, findings: Findings, ratios_F: Float[np.ndarray, "F"], share: float
    ) -> Candidate:
        disease_id = self.table.disease_ids[row]
        return Candidate(
            disease_id=disease_id,
            name=self.graph.entity(disease_id).name,
            share=share,
            log_odds=float(ratios_F.sum()),
            recorded=float(self.recorded_R[row]),
            contributions=contributions(
                self.graph, self.table, self.background_N, self.config, row, findings, ratios_F
            ),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DiagnosisSource:
    """Where a table lies and how it is asked, told so that another process can open it."""

    table_path: str
    config: DiagnosisConfig

    def open(self, graph: KnowledgeGraph) -> Diagnosis:
        """What answers; ``graph`` is the one that the table was made of."""
        return Diagnosis(
            graph=graph, table=DiseaseTable.load(Path(self.table_path)), config=self.config
        )


def _log_priors(
    graph: KnowledgeGraph, table: DiseaseTable, config: DiagnosisConfig
) -> tuple[Float[np.ndarray, "R"], float]:
    """ln of the prior of each disease and of ``none of these``; they add up to 1."""
    if not config.prior_file:
        each = (1 - config.none_share) / len(table)
        return np.full(len(table), np.log(each)), float(np.log(config.none_share))
    given = read_prior(config.prior_file, graph.alternative_ids)
    unknown = sorted(given.keys() - set(table.disease_ids))
    if unknown:
        raise ValueError(
            f"{config.prior_file}: {unknown[0]!r} is no disease of the table; leave its line out"
        )
    prior = np.array([given.get(disease_id, 0.0) for disease_id in table.disease_ids])
    with np.errstate(divide="ignore"):
        return np.log(prior), float(np.log(max(1 - prior.sum(), 0.0)))


def read_prior(path: str | Path, alternative_ids: Mapping[str, str]) -> dict[str, float]:
    """Disease -> P, from a JSONL file; diseases that it does not name have P = 0.

    What the values leave to 1 is the prior of ``none of these``.

    Raises:
        ValueError: a value that is no probability, a disease named twice, or a sum above 1.
    """
    found: dict[str, float] = {}
    for number, line in enumerate(jsonl.read(path, Prior), start=1):
        disease_id = alternative_ids.get(line.disease, line.disease)
        if not 0 <= line.prior <= 1:
            raise ValueError(f"{path}: record {number}: prior={line.prior} must be from 0 to 1")
        if disease_id in found:
            raise ValueError(f"{path}: record {number}: {line.disease!r} has a prior already")
        found[disease_id] = line.prior
    if not 0 < sum(found.values()) <= _MAX_PRIOR_SUM:
        raise ValueError(
            f"{path}: the priors add up to {sum(found.values()):g}; they must be above 0 and at "
            "most 1 together, the rest is for diseases that are not in the table"
        )
    return found
