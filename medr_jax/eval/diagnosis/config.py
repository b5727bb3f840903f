"""Settings of the diagnosis benchmark."""

from dataclasses import dataclass, field
from enum import Enum

from medr_jax.eval.diagnosis.cohorts import DrawConfig


class Task(Enum):
    """Where the knowledge base and the patients come from."""

    omim_to_orpha = "omim_to_orpha"
    orpha_to_omim = "orpha_to_omim"
    papers = "papers"
    simulation = "simulation"


TITLES = {
    Task.omim_to_orpha: "Knowledge base: OMIM. Patients: drawn from Orphanet's frequencies",
    Task.orpha_to_omim: "Knowledge base: Orphanet. Patients: drawn from OMIM's frequencies",
    Task.papers: "Leave one publication out: patients of single-patient papers",
    Task.simulation: "Sanity check: patients drawn from the knowledge base itself",
}


@dataclass(kw_only=True, slots=True)
class BenchDiagnoseConfig:
    """Which tasks are run, and on which patients."""

    tasks: list[Task] = field(default_factory=lambda: list(Task))
    draw: DrawConfig = field(default_factory=DrawConfig)
    min_terms: int = 4  # of a paper's patient, absent ones included
    hidden_share: float = 0.2  # of patients whose disease is taken out, for calibration
    max_patients: int = 0  # of a task, the first ones in order of a hash; 0 = all
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ValueError(
                f"bench_diagnosis.tasks=[]: name some of {[task.value for task in Task]}"
            )
        if not 0 <= self.hidden_share < 1:
            raise ValueError(
                f"bench_diagnosis.hidden_share={self.hidden_share}: must be from 0 to below 1"
            )
        for name in ("min_terms", "max_patients"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"bench_diagnosis.{name}={getattr(self, name)}: must be at least 0"
                )
