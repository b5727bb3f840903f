"""The ``diagnose`` tool."""

from collections.abc import Container, Sequence
from typing import Annotated

from msgspec import Meta

from medr_jax.diagnosis.diagnose import Candidate, Diagnosis, Differential
from medr_jax.diagnosis.explain import Basis, Contribution
from medr_jax.retrieval.analysis import plain
from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.tools.schema import parameters_of
from medr_jax.types import Hit, Kind

MAX_FINDINGS = 50
MAX_ID_CHARS = 40
_SHOWN_REFERENCES = 2
_PhenotypeIds = list[Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]]


class DiagnoseTool:
    """The diseases that findings speak for, each as a hit that can be cited.

    A hit's snippet gives its share and every finding's log-odds with what they rest on.
    """

    name = "diagnose"
    description = (
        "Weigh findings against the annotated diseases by Bayes' rule. Returns the best diseases "
        "with their relative score and what each finding contributed. Research software, not "
        "medical advice."
    )

    def __init__(self, diagnosis: Diagnosis, *, exclude: Container[str] = frozenset()) -> None:
        self._diagnosis = diagnosis
        self._exclude = exclude
        self.parameters = parameters_of(self.__call__)

    def __call__(
        self,
        findings: Annotated[
            _PhenotypeIds,
            Meta(
                description="identifiers of phenotypes that are present, such as HP:0001166",
                max_length=MAX_FINDINGS,
            ),
        ],
        absent: Annotated[
            _PhenotypeIds,
            Meta(
                description="phenotypes that were looked for and not found",
                max_length=MAX_FINDINGS,
            ),
        ] = (),
    ) -> ToolOutput:
        """The differential; ToolError for an unknown term or a contradiction."""
        try:
            result = self._diagnosis.differential(
                _ids(findings), _ids(absent), exclude=self._exclude
            )
        except ValueError as error:
            raise ToolError(f"diagnose: {error}") from None
        return ToolOutput(
            hits=tuple(_hit(candidate, result) for candidate in result.candidates),
            text=summary(result),
        )


def _ids(written: Sequence[str]) -> list[str]:
    """Small models write "hp : 0001166"."""
    return ["".join(term_id.split()).upper() for term_id in written]


def score_name(result: Differential) -> str:
    """What a share may be called."""
    return "probability" if result.is_probability else "relative score"


def summary(result: Differential) -> str:
    """What holds for the whole list."""
    parts = [
        f"{score_name(result).capitalize()} among {result.num_diseases} annotated diseases "
        f"({result.snapshot}); none of these: {result.none_share:.3f}."
    ]
    if result.implied:
        said = "; ".join(f"{term} by {by}" for term, by in result.implied)
        parts.append(f"Implied and not counted: {said}.")
    return " ".join([*parts, result.notice])


def _hit(candidate: Candidate, result: Differential) -> Hit:
    weighed = "; ".join(map(contribution_text, candidate.contributions))
    score = f"{score_name(result)} {candidate.share:.3f}, log-odds {candidate.log_odds:+.1f}"
    snippet = f"{score}: {weighed}. {candidate.recorded:.0f} recorded phenotypes a patient."
    return Hit(
        doc_id=candidate.disease_id,
        title=plain(candidate.name),
        kind=str(Kind.DISEASE),
        snippet=plain(snippet),
        score=round(candidate.share, 6),
    )


def contribution_text(part: Contribution) -> str:
    """``Arachnodactyly +4.2 (stated, 14/15, PMID:1)``."""
    what = f"no {part.finding}" if part.absent else part.finding
    basis = [str(part.basis)]
    if part.basis in (Basis.NARROWER, Basis.BROADER):
        basis[0] += f": {part.stated}"
    basis += filter(None, [part.frequency])
    basis += part.references[:_SHOWN_REFERENCES]
    return f"{what} {part.log_odds:+.1f} ({', '.join(basis)})"
