"""What the graph benchmark generates and searches."""

import dataclasses


@dataclasses.dataclass(kw_only=True, slots=True)
class GraphBenchConfig:
    """The default is of PrimeKG's size: 129,375 nodes and 4,050,249 edges."""

    seed: int = 0
    num_nodes: int = 130_000
    num_edges: int = 4_050_000
    num_seeds: int = 300  # diseases around which a chain is searched
    max_hops: int = 8
    max_expansions: int = 5_000
    rounds: int = 3  # of each measurement; sides alternate, the median counts

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least = 0 if field.name == "seed" else 1
            if getattr(self, field.name) < least:
                raise ValueError(
                    f"graph_bench.{field.name}={getattr(self, field.name)}: at least {least}"
                )
