"""What the templates show, as plain text and numbers: no template looks into a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medr_jax.pages.charts import Chart
from medr_jax.pages.figures import Figure
from medr_jax.pages.network import Network


@dataclass(frozen=True, kw_only=True, slots=True)
class CellView:
    """A number with its interval; the bar's ends are percentages, None for no bar."""

    value: str
    interval: str = ""
    n: str = ""
    low: float | None = None
    at: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RowView:
    """One row of a table."""

    label: str
    cells: Sequence[CellView]
    strong: bool = False  # the row the report is about


@dataclass(frozen=True, kw_only=True, slots=True)
class TableView:
    """A table with the notes that belong under it."""

    anchor: str
    title: str
    columns: Sequence[str]
    rows: Sequence[RowView]
    notes: Sequence[str] = ()
    lead: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HitView:
    """One search hit as the agent saw it."""

    label: int
    title: str
    kind: str
    snippet: str
    marks: Sequence[str] = ()  # e.g. "cited", "on the chain"


@dataclass(frozen=True, kw_only=True, slots=True)
class CallView:
    """A tool call and what came back."""

    name: str
    arguments: Sequence[tuple[str, str]]
    status: str
    message: str  # the tool's text, "" when the hits say everything
    hits: Sequence[HitView]


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnView:
    """One completion of the model."""

    thought: str
    calls: Sequence[CallView]
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutView:
    """A whole rollout: question, turns, answer, gold answer, verdict."""

    question: str
    facts: str  # "3 hops · connective tissue · answer is a gene"
    turns: Sequence[TurnView]
    answer: str
    gold: str
    citations: Sequence[str]
    verdict: str
    right: bool
    agent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """One large number with its meaning."""

    value: str
    label: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """Everything on the report's page."""

    title: str
    lead: str
    caveats: Sequence[str]
    headlines: Sequence[Headline] = ()
    tables: Sequence[TableView] = ()
    curves: Sequence[tuple[str, Chart]] = ()  # (caption, chart)
    figure: Figure | None = None
    figure_question: str = ""
    figure_answer: str = ""
    rollouts: Sequence[RolloutView] = ()
    rollouts_lead: str = ""
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterView:
    """One value that questions can be filtered by; ``key`` is made of letters and digits."""

    key: str
    label: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionView:
    """One question with everything that stands behind it."""

    anchor: str
    keys: Sequence[str]  # of the filters that it passes
    text: str
    answer: str
    facts: str
    figure: Figure
    network: Network | None
    clues: Sequence[tuple[str, str, str]]  # relation, as the question says it, entity
    proof: Sequence[tuple[str, str]]
    rollout: RolloutView


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphPageView:
    """The page of a sample of questions."""

    title: str
    lead: str
    caveats: Sequence[str]
    filters: Mapping[str, Sequence[FilterView]]  # "Hops" -> its values
    questions: Sequence[QuestionView]
    facts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class BarView:
    """One value of a distribution; ``share`` is its length as a percentage of the longest."""

    label: str
    share: float
    cells: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionView:
    """Counts by value, a bar each."""

    anchor: str
    title: str
    lead: str
    columns: Sequence[str]  # of the cells
    bars: Sequence[BarView]


@dataclass(frozen=True, kw_only=True, slots=True)
class CardView:
    """The page of a dataset."""

    title: str
    lead: str
    caveats: Sequence[str]
    headlines: Sequence[Headline]
    distributions: Sequence[DistributionView]
    rollouts: Sequence[RolloutView]
    facts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenView:
    """Tokens in a row that are shown alike; ``look`` is made of class names of the style sheet."""

    text: str
    look: str
    title: str = ""  # what hovering says


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleView:
    """One rollout of a group; ``numbers`` are its reward terms and what was made of them."""

    keys: Sequence[str]  # of the filters that it passes
    name: str
    numbers: Sequence[tuple[str, str]]
    tokens: Sequence[TokenView]
    rollout: RolloutView


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupView:
    """Rollouts of one question at one step."""

    anchor: str
    keys: Sequence[str]
    title: str
    question: str
    answer: str
    facts: str
    samples: Sequence[SampleView]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrajectoriesView:
    """The page of a run's rollouts."""

    title: str
    lead: str
    filters: Mapping[str, Sequence[FilterView]]
    legend: Sequence[TokenView]
    groups: Sequence[GroupView]
    facts: Mapping[str, Mapping[str, str]]
