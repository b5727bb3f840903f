"""How the scripted expert works."""

from dataclasses import dataclass

from medr_jax.trajectories.wording import STYLES


@dataclass(kw_only=True, slots=True)
class ExpertConfig:
    """How the expert works. The defaults give the paper-like set its mean of tool calls."""

    thoughts: str = "full"
    """``full`` sentences, or ``short``: a few words for a tiny model."""
    may_read: bool = True
    """Read a document where its snippet is not enough; False: search only."""
    trust_first_disease: bool = False
    """Take the first disease among the hits although its snippet has no room for all clues, when
    it states one of them: for short snippets and a model that may not read."""
    search_diseases_only: bool = False
    """Search for clues among diseases from the start, not only once all kinds gave nothing."""
    read_on_the_way: float = 0.2
    """Share of steps before the last whose document is read for confirmation."""
    read_before_answer: float = 0.6
    """Share of trajectories that read the supporting document before they answer."""
    max_retries: int = 2
    """Queries with other words after one that failed, per step."""
    max_query_words: int = 24
    """Longer queries (definitions) are cut."""

    def __post_init__(self) -> None:
        if self.thoughts not in STYLES:
            raise ValueError(f"thoughts={self.thoughts!r}: use one of {', '.join(STYLES)}")
        for name in ("read_on_the_way", "read_before_answer"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: give a share from 0 to 1")
        if not self.may_read and (self.read_on_the_way or self.read_before_answer):
            raise ValueError(
                "may_read=false: set read_on_the_way and read_before_answer to 0 as well"
            )
        if self.max_retries < 0 or self.max_query_words < 1:
            raise ValueError(
                f"max_retries={self.max_retries}, max_query_words={self.max_query_words}: "
                "give at least 0 and 1"
            )
