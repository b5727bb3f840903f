"""Patients for the diagnosis benchmark: drawn from another database, from papers, or simulated.

Only the papers' patients are real people's findings. Those of databases are drawn from
frequencies that a curator wrote down, so they test whether two curators' records agree.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from medr_jax.diagnosis.config import TableConfig
from medr_jax.diagnosis.findings import Findings, read_findings
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import Statements
from medr_jax.diagnosis.table import build_table

PAPER_PREFIX = "PMID:"


@dataclasses.dataclass(kw_only=True, slots=True)
class Patient:
    """Findings, and the disease that they are from."""

    patient_id: str
    disease_id: str
    findings: Findings
    number: int = -1  # row of what is held out for this patient


@dataclasses.dataclass(kw_only=True, slots=True)
class DrawConfig:
    """How patients are drawn from frequencies."""

    min_findings: int = 3  # with fewer no patient is made
    max_findings: int = 10  # ours: as many as a first consultation writes down
    patients_per_disease: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.min_findings <= self.max_findings:
            raise ValueError(
                f"bench_diagnosis.draw.min_findings={self.min_findings}: must be from 1 to "
                f"max_findings={self.max_findings}"
            )
        if self.patients_per_disease < 1:
            raise ValueError(
                f"bench_diagnosis.draw.patients_per_disease={self.patients_per_disease}: must be "
                "at least 1"
            )


def drawn_patients(
    statements: Statements,
    disease_ids: Sequence[str],
    ontology: Ontology,
    table: TableConfig,
    draw: DrawConfig,
    *,
    among: frozenset[str],
    seed: int,
) -> list[Patient]:
    """Patients of the diseases in ``among``: every stated term with its frequency.

    Terms are drawn independently, those that another drawn one implies are left out, and of the
    rest at most ``max_findings`` are kept, each alike. The same seed gives the same patients.
    """
    source = build_table(statements, tuple(disease_ids), ontology, table)
    numbers = {disease_id: number for number, disease_id in enumerate(disease_ids)}
    patients = []
    for row, disease_id in enumerate(source.disease_ids):
        if disease_id not in among:
            continue
        pairs = slice(source.pair_starts[row], source.pair_starts[row + 1])
        chance = source.pair_betas[pairs, 0] / source.pair_betas[pairs].sum(axis=1)
        rng = np.random.default_rng([seed, numbers[disease_id]])
        for number in range(draw.patients_per_disease):
            drawn = source.terms_of(row)[rng.random(len(chance)) < chance]
            if not len(drawn):
                continue
            present = read_findings(ontology, [ontology.term_ids[term] for term in drawn]).present
            if len(present) < draw.min_findings:
                continue
            kept = rng.permutation(len(present))[: draw.max_findings]
            present = tuple(sorted(present[place] for place in kept))
            findings = Findings(present=present, absent=())
            patients.append(
                Patient(
                    patient_id=f"{disease_id}/{number}", disease_id=disease_id, findings=findings
                )
            )
    return patients


@dataclasses.dataclass(kw_only=True, slots=True)
class HeldOut:
    """Patients of single-patient papers, with what the corpus states once each paper is out."""

    patients: list[Patient]
    rest: Statements  # row i: the disease of patient i without the patient's paper
    num_without_rest: int  # papers that are all the corpus has of their disease


def paper_patients(
    statements: Statements, disease_ids: Sequence[str], ontology: Ontology, *, min_terms: int = 4
) -> HeldOut:
    """One patient for each single-patient paper: its largest denominator is one person.

    Present are the terms with 1/1, absent those with 0/1; ``min_terms`` counts both. All rows
    that cite the paper are held out, those without a count and those of several papers too.
    Papers whose terms contradict each other or that are all the corpus has of their disease
    have no patient.
    """
    patients, rest, num_without_rest = [], [], 0
    cited = _papers(statements)
    by_disease = _rows_of(statements.rows)
    for paper in sorted(cited):
        places = cited[paper]
        if statements.counts[places, 1].max() != 1:
            continue
        part = statements.where(places[statements.counts[places, 1] == 1])
        for row in np.unique(part.rows):
            mine = part.rows == row
            if np.unique(part.terms[mine]).size < min_terms:
                continue
            here = sorted({ontology.term_ids[t] for t in part.terms[mine & ~part.excluded]})
            gone = sorted({ontology.term_ids[t] for t in part.terms[mine & part.excluded]})
            try:
                findings = read_findings(ontology, here, gone)
            except ValueError:
                continue
            others = np.setdiff1d(by_disease[row], places)
            if statements.excluded[others].all():
                num_without_rest += 1
                continue
            kept = statements.where(others)
            rest.append(dataclasses.replace(kept, rows=np.full(len(kept), len(patients))))
            patients.append(
                Patient(
                    patient_id=f"{paper} {disease_ids[row]}",
                    disease_id=disease_ids[row],
                    findings=findings,
                    number=len(patients),
                )
            )
    return HeldOut(
        patients=patients, rest=_joined(statements, rest), num_without_rest=num_without_rest
    )


def _papers(statements: Statements) -> dict[str, np.ndarray]:
    """Paper -> the statements that cite it."""
    lists = [
        [reference for reference in references if reference.startswith(PAPER_PREFIX)]
        for references in statements.reference_lists
    ]
    places = _rows_of(statements.references)
    found: dict[str, list[np.ndarray]] = {}
    for code, papers in enumerate(lists):
        for paper in papers:
            if code in places:
                found.setdefault(paper, []).append(places[code])
    return {paper: np.sort(np.concatenate(parts)) for paper, parts in found.items()}


def _rows_of(codes: np.ndarray) -> dict[int, np.ndarray]:
    """Code -> where it stands."""
    order = np.argsort(codes, kind="stable")
    values, starts = np.unique(codes[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _joined(statements: Statements, parts: list[Statements]) -> Statements:
    if not parts:
        return statements.where(np.zeros(len(statements), dtype=bool))
    fields = [
        field.name
        for field in dataclasses.fields(statements)
        if field.name not in ("database_names", "reference_lists")
    ]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in fields}
    return dataclasses.replace(statements, **columns)
