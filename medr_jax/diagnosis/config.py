"""Settings of the diagnosis: how frequencies are estimated, and how findings are weighed."""

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class TableConfig:
    """How P(phenotype | disease) is estimated from the annotation corpus."""

    database: str = ""  # "OMIM", "ORPHA": only what this one states; "" = all
    # Jeffreys' prior, Beta(1/2, 1/2): the frequency of what is stated without one.
    prior_frequency: float = 0.5
    prior_individuals: float = 1.0  # how many observed individuals the prior is worth

    def __post_init__(self) -> None:
        if not 0 < self.prior_frequency < 1:
            raise ValueError(
                f"diagnosis.table.prior_frequency={self.prior_frequency}: must lie between 0 and 1"
            )
        if not self.prior_individuals > 0:
            raise ValueError(
                f"diagnosis.table.prior_individuals={self.prior_individuals}: must be above 0"
            )


@dataclass(kw_only=True, slots=True)
class DiagnosisConfig:
    """How findings are weighed against each other, and what is shown."""

    table: TableConfig = field(default_factory=TableConfig)
    # Noise, imprecision and unrecorded are ours, chosen on the benchmark's fitting half.
    noise: float = 0.1  # share of findings that have nothing to do with the disease
    imprecision: float = 0.5  # 0: a broader annotation counts in full, 1: by its specificity
    unrecorded: float = 5.0  # phenotypes of a patient that no annotation has, in every disease
    # Both fitted on the benchmark's cross-database patients (2.2 to 2.3; 0.24 to 0.26).
    temperature: float = 2.25  # log-odds are divided by it
    none_share: float = 0.25  # prior share of patients whose disease is not in the table
    prior_file: str = ""  # JSONL of {"disease": id, "prior": P}; "" = all diseases alike
    num_shown: int = 10

    def __post_init__(self) -> None:
        for name in ("noise", "none_share"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"diagnosis.{name}={getattr(self, name)}: must lie between 0 and 1"
                )
        if not 0 <= self.imprecision <= 1:
            raise ValueError(f"diagnosis.imprecision={self.imprecision}: must be from 0 to 1")
        if self.unrecorded < 0:
            raise ValueError(f"diagnosis.unrecorded={self.unrecorded}: must not be negative")
        if not self.temperature > 0:
            raise ValueError(f"diagnosis.temperature={self.temperature}: must be above 0")
        if self.num_shown < 1:
            raise ValueError(f"diagnosis.num_shown={self.num_shown}: must be at least 1")
