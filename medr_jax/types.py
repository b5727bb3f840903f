"""Records that cross package borders.

Every record is an immutable ``msgspec.Struct``: typed when read, canonical when written
(``medr_jax.jsonl``), cheap to make by the million. Nothing here imports anything above it.
"""

from enum import StrEnum

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records. ``msgspec.structs.replace`` makes a changed copy."""


class Kind(StrEnum):
    """What an entity (or the document about it) is."""

    DISEASE = "disease"
    PHENOTYPE = "phenotype"
    GENE = "gene"
    INHERITANCE = "inheritance"
    ONSET = "onset"
    COURSE = "course"
    DRUG = "drug"
    ANATOMY = "anatomy"
    PROCESS = "process"  # biological process, molecular function or cellular component
    PATHWAY = "pathway"
    EXPOSURE = "exposure"
    PREVALENCE = "prevalence"  # a band such as "<1 / 1 000 000"
    PRODUCT = "product"  # an approved drug product: application and product number
    PATENT = "patent"
    EXCLUSIVITY = "exclusivity"
    LABEL = "label"  # one version of a drug's package insert
    TRIAL = "trial"
    PUBLICATION = "publication"
    JOURNAL = "journal"
    PERSON = "person"
    ORGANIZATION = "organization"
    DATE = "date"
    VALUE = "value"  # of a closed list: a trial's phase, a drug class
    CONCEPT = "concept"  # of a vocabulary without a kind of its own


OPEN_KINDS = frozenset({Kind.DISEASE, Kind.PHENOTYPE, Kind.GENE})
"""Kinds with thousands of members: an answer of these cannot be guessed."""


class Relation(StrEnum):
    """Edge types. An edge points from the subject, as in "disease HAS_PHENOTYPE phenotype"."""

    HAS_PHENOTYPE = "has_phenotype"  # disease -> phenotype
    ASSOCIATED_GENE = "associated_gene"  # disease -> gene; "associated with", nothing stronger
    INHERITED_AS = "inherited_as"  # disease -> inheritance
    HAS_ONSET = "has_onset"  # disease -> onset
    HAS_COURSE = "has_course"  # disease -> clinical course
    IS_A = "is_a"  # phenotype -> phenotype (parent), also inheritance/onset/course terms
    BROADER_THAN = "broader_than"  # disease -> narrower disease (many-to-one cross-references)
    # What other sources state. A relation that a reader does not know by name becomes
    # RELATED_TO with that name as the edge's qualifier, never one of these.
    INDICATED_FOR = "indicated_for"  # drug -> disease
    CONTRAINDICATED_IN = "contraindicated_in"  # drug -> disease: a warning, never a treatment
    OFF_LABEL_FOR = "off_label_for"  # drug -> disease, not approved
    SIDE_EFFECT = "side_effect"  # drug -> phenotype
    SYNERGISTIC_WITH = "synergistic_with"  # drug -> drug, undirected
    DRUG_TARGET = "drug_target"  # drug -> gene
    DRUG_ENZYME = "drug_enzyme"  # drug -> gene
    DRUG_CARRIER = "drug_carrier"  # drug -> gene
    DRUG_TRANSPORTER = "drug_transporter"  # drug -> gene
    DOSED_BY_GENE = "dosed_by_gene"  # drug -> gene; the qualifier is CPIC's level of evidence
    PHENOTYPE_GENE = "phenotype_gene"  # phenotype -> gene; "associated with"
    PROTEIN_INTERACTION = "protein_interaction"  # gene -> gene, undirected
    PARTICIPATES_IN = "participates_in"  # gene -> process or pathway
    EXPRESSED_IN = "expressed_in"  # gene -> anatomy; EXCLUDED = reported not expressed
    LINKED_TO_EXPOSURE = "linked_to_exposure"  # anything -> exposure
    PARENT_OR_CHILD = "parent_or_child"  # a hierarchy whose direction the source does not give
    HAS_PREVALENCE = "has_prevalence"  # disease -> prevalence band
    CONTAINS = "contains"  # product -> drug
    MADE_BY = "made_by"  # product or label -> organization
    APPROVED_ON = "approved_on"  # product -> date
    PROTECTED_BY = "protected_by"  # product -> patent or exclusivity
    EXPIRES_ON = "expires_on"  # patent or exclusivity -> date
    DESCRIBES = "describes"  # label -> drug
    DATED = "dated"  # label -> date of this version
    IN_CLASS = "in_class"  # drug -> value
    STUDIES = "studies"  # trial -> disease
    TESTS = "tests"  # trial -> drug
    SPONSORED_BY = "sponsored_by"  # trial -> organization, the lead sponsor
    STARTED_ON = "started_on"  # trial -> date
    COMPLETED_ON = "completed_on"  # trial -> date
    HAS_STATUS = "has_status"  # trial -> value
    HAS_PHASE = "has_phase"  # trial -> value
    PUBLISHED_IN = "published_in"  # publication -> journal
    PUBLISHED_ON = "published_on"  # publication -> date
    FIRST_AUTHOR = "first_author"  # publication -> person
    ABOUT = "about"  # publication -> concept, by its index terms
    REPORTS_TRIAL = "reports_trial"  # publication -> trial
    RETRACTED_BY = "retracted_by"  # publication -> publication
    MENTIONED_IN = "mentioned_in"  # anything -> corpus: n of its m texts mention it
    RELATED_TO = "related_to"  # stated without a type that we know


class Polarity(StrEnum):
    """``EXCLUDED`` edges state a reported absence (NOT, 0/m); they never count as positive."""

    POSITIVE = "positive"
    EXCLUDED = "excluded"


class Status(StrEnum):
    """Outcome of a tool call, a turn or a trajectory (DESIGN decision 6)."""

    OK = "ok"
    MODEL_ERROR = "model_error"  # malformed call or answer: the model's own doing
    TOOL_ERROR = "tool_error"  # the tool refused the arguments; shown to the model
    INFRA_ERROR = "infra_error"  # our side failed; leaves the loss and the group baseline
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"  # out of turns, tokens or context


class Entity(Record):
    """A node of the knowledge graph."""

    id: str  # "HP:0001166", "MONDO:0007947", "OMIM:154700", "HGNC symbol" as "GENE:FBN1"
    kind: Kind
    name: str
    synonyms: tuple[str, ...] = ()  # unambiguous EXACT synonyms only
    definition: str = ""
    xrefs: tuple[str, ...] = ()


class Edge(Record):
    """A stated relation with its provenance."""

    source: str
    relation: Relation
    target: str
    polarity: Polarity = Polarity.POSITIVE
    num_affected: int | None = None  # n of "n/m reported individuals"
    num_observed: int | None = None  # m
    frequency: str = ""  # as stated: "n/m", "40%", or an HP frequency term id
    evidence: str = ""  # IEA, TAS, PCS
    references: tuple[str, ...] = ()  # "PMID:...", "OMIM:..."
    onset: str = ""
    sex: str = ""
    modifier: str = ""
    origin: str = ""  # the file it was read from, with its date
    licence: str = ""
    qualifier: str = ""  # what the source says about the relation: "MENDELIAN", CPIC level "A"
    date: str = ""  # ISO; when the source says that the fact began, was made or ends


class Hop(Record):
    """One step of a chain: from an entity over a relation to exactly one entity.

    The last hop of a question whose answer is a set leads to the set's first member, that of an
    unanswerable question to "".
    """

    relation: Relation
    source_id: str
    target_id: str
    inverse: bool = False  # True: walked against the edge, e.g. gene -> disease
    within_id: str = ""  # the target lies strictly below this ontology term, "" = anywhere
    # Left out of the JSON where a question says nothing of it.
    count: str | msgspec.UnsetType = msgspec.UNSET  # "14/15": reported in so many individuals
    polarity: Polarity | msgspec.UnsetType = msgspec.UNSET  # EXCLUDED: reported absent


class Clue(Record):
    """A stated property that narrows the first entity of a chain."""

    relation: Relation
    entity_id: str  # value, e.g. a phenotype
    text: str  # how the question says it (name, EXACT synonym or definition)


class Chain(Record):
    """Clues pick out ``hops[0].source_id``; hops lead from there to the answer.

    With no hops the clues' own subject is the answer (a one-hop question), so
    ``num_hops = 1 + len(hops)`` when there are clues.
    """

    clues: tuple[Clue, ...]
    hops: tuple[Hop, ...]
    seed_id: str  # the entity the chain was grown around
    optimal: bool = True  # False: the search budget ran out before the longest was proven


class Question(Record):
    """A verified multi-hop question."""

    question_id: str
    text: str
    chain: Chain
    num_hops: int
    answer: str
    answer_id: str
    answer_kind: Kind
    answer_aliases: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    split: str = "train"  # train, dev, test
    form: str = "forward_chain"
    snapshot: str = ""  # e.g. "HPO 2025-01-16"
    proof: dict[str, int | str | list[int]] = {}
    # Where the answer is a set: of each member its id, then its names.
    answer_set: tuple[tuple[str, ...], ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_unanswerable(self) -> bool:
        """Whether the right reply is to abstain: the pinned snapshot states no answer."""
        return not self.answer


class ToolCall(Record):
    """A request by the model."""

    name: str
    arguments: dict[str, str | int | float | bool | list[str] | None]
    call_id: str = ""


class Hit(Record):
    """One retrieved document as the agent saw it. ``label`` is what the agent cites."""

    doc_id: str
    title: str
    kind: str = ""
    snippet: str = ""
    score: float = 0.0
    label: int = 0  # 1-based, counted over the whole trajectory; 0 = not shown yet


class ToolResult(Record):
    """What came back. On failure ``text`` is the message shown to the model, never empty."""

    status: Status
    hits: tuple[Hit, ...] = ()
    text: str = ""
    call_id: str = ""
    latency_ms: float = 0.0  # not part of any content hash


class Answer(Record):
    """The explicit final action. ``citations`` are document ids, resolved from labels."""

    text: str
    citations: tuple[str, ...] = ()


class Turn(Record):
    """One model completion and what the tools said to it."""

    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    answer: Answer | None = None
    status: Status = Status.OK
    error: str = ""  # why a completion could not be parsed


class Trajectory(Record):
    """A whole rollout on one question."""

    trajectory_id: str
    question: Question
    turns: tuple[Turn, ...]
    status: Status
    policy: str = "expert"  # who acted
    form: str = "guided"  # guided or exploration
    flaws: tuple[str, ...] = ()  # labelled flaws of exploration trajectories
    index_hash: str = ""
    error: str = ""

    @property
    def answer(self) -> Answer | None:
        """The final answer, or None when there is none."""
        return self.turns[-1].answer if self.turns else None

    @property
    def num_tool_calls(self) -> int:
        """Calls made over all turns."""
        return sum(len(turn.calls) for turn in self.turns)
