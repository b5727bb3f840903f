"""Settings of an index: what is in it and how it ranks."""

import math
from dataclasses import dataclass, field
from enum import Enum

from medr_jax.retrieval.sources.stream import SourceConfig


class Fusion(Enum):
    """How words and vectors are put together."""

    rrf = "rrf"  # reciprocal rank fusion
    linear = "linear"  # weighted sum of normalised scores


_WEIGHTS = ("title_boost", "synonym_boost", "name_boost", "item_boost")


@dataclass(kw_only=True, slots=True)
class IndexConfig:
    """How documents are ranked: weights of BM25 over the whole text and of what adds to it.

    All weights are ours, chosen on disease, gene and phenotype names of the HPO corpus.
    """

    title_boost: float = 2.0  # terms of the title
    synonym_boost: float = 0.5  # terms of the synonyms
    name_boost: float = 3.0  # a phrase of the query that is the title or a synonym
    item_boost: float = 1.0  # a phrase of the query that the document lists as an item
    # All four times the fourth power of the part of the query's weight that a name makes up: a
    # question that mentions a name is not a question for the name.
    by_share: bool = False

    # Documents with all terms before those with any. It suits exact names; false, one BM25 over
    # any of the terms, suits questions and descriptions.
    stages: bool = True

    graph: bool = True  # the graph's documents
    sources: list[SourceConfig] = field(default_factory=list)  # and those of files
    base: str = ""  # an index to update: its documents, unless sources replace them
    delete: list[str] = field(default_factory=list)  # ids that the update leaves out
    publish: str = ""  # folder whose pointer then names the new index to running servers
    checkpoint_documents: int = 250_000  # an interrupted build goes on from the last of these

    spellings: bool = False  # index other usual spellings of symbols: IL6 beside IL-6
    # Paper: lambda * relevance + (1 - lambda) * authority, lambda = 0.4. 1.0 = relevance only.
    relevance_weight: float = 1.0
    recency_share: float = 0.3  # ours: of a graded document's authority that age can take
    recency_half_life_years: float = 10.0  # ours
    pool: int = 100  # best documents by words (and by vectors) that are ranked anew

    encoder: str = ""  # HF folder of a BERT-style encoder, or "minilm"; "" = words only
    fusion: Fusion = Fusion.rrf
    rrf_k: float = 60.0  # Cormack et al. 2009
    dense_weight: float = 0.5  # of the linear fusion

    def __post_init__(self) -> None:
        for name in _WEIGHTS:
            _within(name, getattr(self, name), 0, 1000)
        for name in ("relevance_weight", "recency_share", "dense_weight"):
            _within(name, getattr(self, name), 0, math.nextafter(1, 2))
        for name in ("checkpoint_documents", "pool", "recency_half_life_years", "rrf_k"):
            if not getattr(self, name) > 0:
                raise ValueError(f"index.{name}={getattr(self, name)}: must be above 0")
        if not (self.graph or self.sources or self.base):
            raise ValueError("index.graph=false without index.sources: there is nothing to index")
        if self.delete and not self.base:
            raise ValueError("index.delete without index.base: name the index to delete from")

    def ranking(self) -> dict[str, float | int | str | bool]:
        """The options that decide what is found, as the index keeps and hashes them.

        The four weights always; of the others those that are not at their defaults, so that an
        index that uses none of them is the same as before they existed.
        """
        ranking: dict[str, float | int | str | bool]
        ranking = {w: float(getattr(self, w)) for w in _WEIGHTS}
        names = (
            "by_share",
            "stages",
            "spellings",
            "relevance_weight",
            "recency_share",
            "recency_half_life_years",
        )
        for name in (*names, "pool", "fusion", "rrf_k", "dense_weight"):
            value = getattr(self, name)
            if value != IndexConfig.__dataclass_fields__[name].default:
                ranking[name] = value.value if isinstance(value, Enum) else value
        return ranking

    @classmethod
    def from_ranking(cls, ranking: dict[str, float | int | str | bool]) -> "IndexConfig":
        """The config that a finished index ranks by."""
        options = dict(ranking)
        if "fusion" in options:
            options["fusion"] = Fusion(options["fusion"])
        return cls(**options)


def _within(name: str, value: float, least: float, below: float) -> None:
    if not least <= value < below:
        raise ValueError(f"index.{name}={value}: must be at least {least} and below {below:g}")
