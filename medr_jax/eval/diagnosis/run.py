"""Runs the diagnosis benchmark: cohorts, scores, calibration on other diseases, metrics."""

import dataclasses
import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Float, Int

from medr_jax import console
from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import Statements, read_statements
from medr_jax.diagnosis.table import build_table
from medr_jax.eval import statistics
from medr_jax.eval.diagnosis import calibration, cohorts
from medr_jax.eval.diagnosis.calibration import NONE, Calibration
from medr_jax.eval.diagnosis.cohorts import Patient
from medr_jax.eval.diagnosis.config import BenchDiagnoseConfig, Task
from medr_jax.eval.diagnosis.methods import KnowledgeBase, Method
from medr_jax.eval.statistics import Cell
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Kind, Record

DATABASES = {Task.omim_to_orpha: ("OMIM", "ORPHA"), Task.orpha_to_omim: ("ORPHA", "OMIM")}
"""Task -> where the knowledge base is from, and where the patients are from."""


class MethodResult(Record):
    """One method on the test half of one task."""

    method: str
    top_1: Cell
    top_10: Cell
    brier: Cell
    calibration_error: Cell
    none_when_hidden: Cell  # mean share of ``none of these`` where that is the truth
    none_when_known: Cell
    temperature: float
    none: float
    top_10_lead: Cell | None = None  # of the likelihood over this method, paired


class TaskResult(Record):
    """One task."""

    task: str
    num_diseases: int  # of the knowledge base
    num_patients: int
    num_test: int
    num_left_out: int  # papers that are all the corpus has of their disease
    mean_findings: float
    methods: tuple[MethodResult, ...]


class Bench:
    """The corpus, read once, and the tasks on it."""

    def __init__(
        self, graph: KnowledgeGraph, config: BenchDiagnoseConfig, diagnosis: DiagnosisConfig
    ) -> None:
        self.config = config
        self.diagnosis = diagnosis
        self.ontology = Ontology.from_graph(graph)
        self.disease_ids = tuple(graph.entity_ids(Kind.DISEASE))
        self.statements = read_statements(graph, self.ontology)

    def run(self, task: Task) -> TaskResult:
        """All methods on one task."""
        patients, base, num_left_out = self.cohort(task)
        if len(patients) < 4:
            raise ValueError(
                f"bench_diagnosis.tasks: {task.value} has {len(patients)} patients, too few"
            )
        half = np.array([in_test_half(patient.disease_id) for patient in patients])
        hidden = np.array(
            [share_of(f"hidden {p.patient_id}") < self.config.hidden_share for p in patients]
        )
        rows = np.array([base.row(patient) for patient in patients])
        results, hits = [], {}
        for method in Method:
            scores = self._scores(task, method, patients, base)
            result, hits[method] = measured(str(method), scores, rows, hidden, half)
            results.append(result)
        return TaskResult(
            task=task.value,
            num_diseases=len(base.table),
            num_patients=len(patients),
            num_test=int(half.sum()),
            num_left_out=num_left_out,
            mean_findings=float(np.mean([len(p.findings.present) for p in patients])),
            methods=tuple(_with_lead(result, hits) for result in results),
        )

    def cohort(self, task: Task) -> tuple[list[Patient], KnowledgeBase, int]:
        """Patients, what is known, and how many papers had to be left out."""
        if task is Task.papers:
            held_out = cohorts.paper_patients(
                self.statements, self.disease_ids, self.ontology, min_terms=self.config.min_terms
            )
            ids = tuple(patient.patient_id for patient in held_out.patients)
            rest = build_table(held_out.rest, ids, self.ontology, self.diagnosis.table)
            base = self._base(self.statements)
            base = dataclasses.replace(base, rest=rest)
            return self._limited(held_out.patients), base, held_out.num_without_rest
        known, seen = DATABASES.get(task, ("", ""))
        base = self._base(self._of(known))
        patients = cohorts.drawn_patients(
            self._of(seen),
            self.disease_ids,
            self.ontology,
            self.diagnosis.table,
            self.config.draw,
            among=frozenset(base.table.disease_ids),
            seed=self.config.seed,
        )
        return self._limited(patients), base, 0

    def _limited(self, patients: list[Patient]) -> list[Patient]:
        """The first ``max_patients`` in order of a hash."""
        ordered = sorted(patients, key=lambda patient: share_of(patient.patient_id))
        return ordered[: self.config.max_patients or None]

    def _of(self, database: str) -> Statements:
        return self.statements.of_database(database) if database else self.statements

    def _base(self, statements: Statements) -> KnowledgeBase:
        table = build_table(statements, self.disease_ids, self.ontology, self.diagnosis.table)
        return KnowledgeBase(table=table, config=self.diagnosis)

    def _scores(
        self, task: Task, method: Method, patients: Sequence[Patient], base: KnowledgeBase
    ) -> Float[np.ndarray, "P R"]:
        scores_PR = np.empty((len(patients), len(base.table)), dtype=np.float32)
        tracked = console.track(patients, f"{task.value} {method}")
        for number, patient in enumerate(tracked):
            scores_PR[number] = base.scores(method, patient)
        return scores_PR


def measured(
    name: str,
    scores_PR: Float[np.ndarray, "P R"],
    rows_P: Int[np.ndarray, "P"],
    hidden_P: np.ndarray,
    test_P: np.ndarray,
) -> tuple[MethodResult, Float[np.ndarray, "T"]]:
    """A method's result on the test half, and per test patient whether its top 10 has the disease.

    Ranks are over all diseases. For calibration the disease of a hidden patient is taken out,
    and the right answer is ``none of these``.
    """
    ranks = np.array(
        [calibration.rank_of(scores, row) for scores, row in zip(scores_PR, rows_P, strict=True)]
    )
    scores_PR[hidden_P, rows_P[hidden_P]] = -np.inf
    truth_P = np.where(hidden_P, NONE, rows_P)
    fitted = calibration.fit(scores_PR[~test_P], truth_P[~test_P])
    shares = [fitted.shares(scores) for scores in scores_PR[test_P]]
    return _summary(name, ranks[test_P], shares, truth_P[test_P], fitted), ranks[test_P] <= 10


def _summary(
    name: str,
    ranks: np.ndarray,
    shares: Sequence[np.ndarray],
    truth: np.ndarray,
    fitted: Calibration,
) -> MethodResult:
    answers = np.array([np.argmax(share) for share in shares])
    confidence = np.array([share.max() for share in shares])
    correct = answers == np.where(truth == NONE, len(shares[0]) - 1, truth)
    none = np.array([share[-1] for share in shares])
    brier = [calibration.brier(share, row) for share, row in zip(shares, truth, strict=True)]
    return MethodResult(
        method=name,
        top_1=statistics.wilson(int((ranks <= 1).sum()), len(ranks)),
        top_10=statistics.wilson(int((ranks <= 10).sum()), len(ranks)),
        brier=statistics.bootstrap_mean(brier),
        calibration_error=calibration.error_with_interval(confidence, correct.astype(float)),
        none_when_hidden=statistics.bootstrap_mean(none[truth == NONE].tolist()),
        none_when_known=statistics.bootstrap_mean(none[truth != NONE].tolist()),
        temperature=fitted.temperature,
        none=fitted.none,
    )


def _with_lead(result: MethodResult, hits: dict[Method, np.ndarray]) -> MethodResult:
    ours = hits[Method.likelihood].astype(float)
    theirs = hits[Method(result.method)].astype(float)
    if result.method == Method.likelihood:
        return result
    lead = statistics.paired_difference(ours.tolist(), theirs.tolist())
    return msgspec.structs.replace(result, top_10_lead=lead)


def in_test_half(disease_id: str) -> bool:
    """Which half a disease belongs to: the same in every task."""
    return share_of(f"half {disease_id}") < 0.5


def share_of(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
