"""What a set of questions looks like."""

import dataclasses
import math
from dataclasses import dataclass, field

from medr_jax.graph.patterns import parse_step

SPLITS = ("train", "dev", "test")
SEED_ORDERS = ("sparse", "common", "any", "stated_rare")
STARTS = ("clues", "definition", "gene")
LEVELS = ("name", "synonym", "definition", "neighbourhood")
STYLES = ("nested", "steps", "walk")
CHAINS = "forward_chain"
FORMS = (
    *(CHAINS, "frequency", "absence", "several_answers", "date", "identifier", "attribute"),
    *("drug", "unanswerable"),
)
"""forward_chain: clues, then hops. frequency: what was reported in n of m patients. absence: what
is reported absent. several_answers: a set. date, identifier, attribute, drug: what sources of
facts state (trials, the Orange Book, PubMed, PrimeKG, CPIC). unanswerable: the snapshot states no
answer, or a clue is false of the disease; the right answer is to abstain."""
STRATEGIES = ("longest_chain", "augmented_chain", "max_chain")
"""longest_chain: the longest from the seed and its other endings. augmented_chain: that, and
the longest branch off each of its entities. max_chain: the longest that begins at any disease
or gene around the seed."""


@dataclass(kw_only=True, slots=True)
class QuestionConfig:
    """Sizes, mixture and limits of the generated questions; the defaults are the paper-like set."""

    seed: int = 0
    num_train: int = 1700
    num_dev: int = 300
    num_test: int = 400
    forms: dict[str, float] = field(
        default_factory=lambda: {CHAINS: 1.0} | dict.fromkeys(FORMS[1:], 0.0)
    )
    """Share of each form (see ``FORMS``). All settings from ``hop_weights`` on, but clues and
    their levels, concern ``forward_chain`` only."""
    hop_weights: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0, 1.0, 1.0])
    """Share of questions with 1, 2, ... hops; its length is the largest number of hops."""
    open_answer_share: float = 0.75
    """Least share of answers, at every hop count, that are a disease, a phenotype or a gene."""
    start_weights: dict[str, float] = field(
        default_factory=lambda: {"clues": 0.8, "definition": 0.1, "gene": 0.1}
    )
    """How a question begins: clues to a disease, a phenotype's definition, or a gene."""
    clue_weights: list[float] = field(default_factory=lambda: [0.15, 0.5, 0.35])
    """Share of clue sets with 1, 2 and 3 clues."""
    level_weights: dict[str, float] = field(
        default_factory=lambda: {
            "name": 0.5,
            "synonym": 0.3,
            "definition": 0.2,
            "neighbourhood": 0.0,
        }
    )
    """How a clue is said: its name, an exact synonym, its definition, or by the terms above and
    below it."""
    style_weights: dict[str, float] = field(
        default_factory=lambda: {"nested": 1.0, "steps": 1.0, "walk": 1.0}
    )
    """One nested question, a sentence per step, or the way to go and then the question."""
    seeds: str = "sparse"
    """Which seed entities come first: sparsely annotated ones, the others, neither, or those that
    a source's prevalence or mentions call rare."""
    questions_per_seed: list[int] = field(default_factory=lambda: [1, 1, 2, 4, 8])
    """Most questions with 1, 2, ... hops of one answer kind that one seed entity gives. Long
    chains are scarce, so each of theirs is asked with several clue sets."""
    max_degree: int = 300
    """Entities with more edges are hubs: never a step of a chain nor its answer."""
    max_clue_matches: int = 1500
    """Clues that more diseases satisfy narrow too little to be worth saying."""
    max_definition_words: int = 30
    max_expansions: int = 2000
    """Budget of the longest-chain search of one seed."""
    strategy_weights: dict[str, float] = field(default_factory=lambda: {"longest_chain": 1.0})
    """Which chains a seed gives (see ``STRATEGIES``); of several (the paper's "mixed") a seed
    draws one."""
    chain_patterns: list[list[str]] = field(default_factory=list)
    """Sequences of relations ("associated_gene", "~associated_gene", ...; ~ = against the
    edge), one of which every chain follows, from its start and over again; none = any."""
    strict: bool = False
    """Also reject what ``questions/strict.py`` lists; some sound questions go with it."""
    dev_fraction: float = 0.14
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        _require(len(self.hop_weights) >= 1, "hop_weights", self.hop_weights, "one per hop count")
        _require(len(self.clue_weights) == 3, "clue_weights", self.clue_weights, "three weights")
        known_names = {
            "forms": FORMS,
            "start_weights": STARTS,
            "level_weights": LEVELS,
            "style_weights": STYLES,
            "strategy_weights": STRATEGIES,
        }
        for name, known in known_names.items():
            weights = getattr(self, name)
            _require(set(weights) <= set(known), name, weights, f"only {', '.join(known)}")
            least = min(weights.values(), default=0)
            _require(least >= 0 < sum(weights.values()), name, weights, "no negative, one positive")
        for name in ("hop_weights", "clue_weights"):
            weights = getattr(self, name)
            _require(min(weights) >= 0 < sum(weights), name, weights, "no negative, one positive")
        _require(
            0 <= self.open_answer_share <= 1, "open_answer_share", self.open_answer_share, "0-1"
        )
        _require(self.seeds in SEED_ORDERS, "seeds", self.seeds, f"one of {', '.join(SEED_ORDERS)}")
        _require(
            len(self.questions_per_seed) >= self.max_hops,
            "questions_per_seed",
            self.questions_per_seed,
            "one number per entry of hop_weights",
        )
        for pattern in self.chain_patterns:
            _require(bool(pattern), "chain_patterns", self.chain_patterns, "no empty pattern")
            for step in pattern:
                parse_step(step)
        held_out = self.dev_fraction + self.test_fraction
        _require(0 <= held_out < 1, "dev_fraction + test_fraction", held_out, "less than 1")

    @property
    def max_hops(self) -> int:
        """Largest number of hops that is asked for."""
        return len(self.hop_weights)

    def sizes_by_hops(self, split: str) -> list[float]:
        """Questions wanted with 1, 2, ... hops, were all to be had."""
        scale = self.size(split) / math.fsum(self.hop_weights)
        return [scale * weight for weight in self.hop_weights]

    def form_sizes(self, split: str) -> dict[str, int]:
        """Questions wanted of each form but ``forward_chain``, which gets the rest."""
        scale = self.size(split) / math.fsum(self.forms.values())
        wanted = {form: round(scale * self.forms.get(form, 0)) for form in FORMS[1:]}
        return {form: number for form, number in wanted.items() if number}

    def for_chains(self) -> "QuestionConfig":
        """The settings of the forward chains among the questions."""
        if not any(self.forms.get(form, 0) for form in FORMS[1:]):
            return self
        rest = {
            f"num_{split}": (self.size(split) - sum(self.form_sizes(split).values()))
            * bool(self.forms.get(CHAINS))
            for split in SPLITS
        }
        return dataclasses.replace(self, forms={CHAINS: 1.0}, **rest)

    def size(self, split: str) -> int:
        """Number of questions wanted in ``split``."""
        sizes = {"train": self.num_train, "dev": self.num_dev, "test": self.num_test}
        if split not in sizes:
            raise ValueError(f"split={split!r}: use one of {', '.join(SPLITS)}")
        return sizes[split]


def _require(holds: bool, name: str, value: object, remedy: str) -> None:
    if not holds:
        raise ValueError(f"questions.{name}={value}: give {remedy}")
