"""What is measured."""

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class RetrievalBenchConfig:
    """Tasks, sizes and how often."""

    num_queries: int = 500  # of each task over the graph
    pubmedqa: str = ""  # its JSON; "" leaves the task out
    beir: list[str] = field(default_factory=list)  # folders in BEIR's layout
    sizes: list[int] = field(default_factory=lambda: [35_000, 1_000_000])  # generated documents
    speed_queries: int = 300  # of a window; up to ten times as many where documents are few
    rounds: int = 5  # windows of each system, in turns
    relevance_weights: list[float] = field(default_factory=lambda: [0.4])  # of the paper's sum
    dense_documents: int = 0  # of the PubMedQA task that are embedded; 0 = no hybrid
    out: str = "results"  # retrieval.md and retrieval.json
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_queries", "speed_queries", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"retrieval_bench.{name}={getattr(self, name)}: must be above 0")
        if any(size < 1000 for size in self.sizes):
            raise ValueError(f"retrieval_bench.sizes={self.sizes}: at least 1000 documents each")
