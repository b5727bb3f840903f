"""Settings of the tools."""

from dataclasses import dataclass, field
from enum import StrEnum

from medr_jax.tools.failures import FailureConfig
from medr_jax.tools.web_client import WebConfig


class ToolName(StrEnum):
    """The tools that there are."""

    search = "search"
    read = "read"
    lookup = "lookup"
    diagnose = "diagnose"
    calculator = "calculator"
    web_search = "web_search"
    web_read = "web_read"


@dataclass(kw_only=True, slots=True)
class ToolsConfig:
    """Which tools there are, what they return and how long they may take."""

    names: list[ToolName] = field(default_factory=lambda: [ToolName.search, ToolName.read])
    num_hits: int = 5
    max_hits: int = 0  # above 0: ``search`` takes num_hits up to this as an argument
    max_queries: int = 1  # above 1: ``search`` takes a list of up to this many queries
    snippet_words: int = 40  # per hit of a search
    read_words: int = 200  # of a document that is read
    read_sections: bool = False  # ``read`` takes the label of a section
    facts_per_page: int = 20  # of a look-up
    timeout_s: float = 20.0  # per call, from when it starts
    num_workers: int = 4  # calls that run at the same time
    max_output_chars: int = 8000  # per call, titles and text together
    empty_results: bool = False  # the control: nothing is ever found
    failures: FailureConfig = field(default_factory=FailureConfig)
    web: WebConfig = field(default_factory=WebConfig)

    def __post_init__(self) -> None:
        for name in (
            *("num_hits", "max_queries", "snippet_words", "read_words", "facts_per_page"),
            "num_workers",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"tools.{name}={getattr(self, name)}: must be at least 1")
        if self.max_hits and self.max_hits < self.num_hits:
            raise ValueError(
                f"tools.max_hits={self.max_hits}: must be 0 or at least num_hits={self.num_hits}"
            )
        if self.max_output_chars < 100:
            raise ValueError(
                f"tools.max_output_chars={self.max_output_chars}: must be at least 100, "
                "or error messages would not fit"
            )
        if not self.timeout_s > 0:
            raise ValueError(f"tools.timeout_s={self.timeout_s}: must be above 0 seconds")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"tools.names={[str(name) for name in self.names]}: name each once")
        self._check_web()

    def _check_web(self) -> None:
        if ToolName.web_search in self.names and not self.web.search_url:
            raise ValueError(
                "tools.web.search_url='': web_search needs the address of your search service, "
                "such as https://search.example.org/search?format=json&q={query}"
            )
