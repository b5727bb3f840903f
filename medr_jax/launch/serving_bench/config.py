"""How many clients, how long, over what."""

from dataclasses import dataclass, field

from medr_jax.serving.config import Transport


@dataclass(kw_only=True, slots=True)
class ServingBenchConfig:
    """One window for each transport; every client asks again as soon as it is answered."""

    transports: list[Transport] = field(
        default_factory=lambda: [Transport.http, Transport.mcp_http]
    )
    num_clients: int = 20
    seconds: float = 60.0
    num_calls: int = 2000  # different ones, asked in turns
    out: str = "results"  # serving.md and serving.json
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_clients", "seconds", "num_calls"):
            if not getattr(self, name) > 0:
                raise ValueError(f"serving_bench.{name}={getattr(self, name)}: must be above 0")
        if Transport.mcp_stdio in self.transports:
            raise ValueError("serving_bench.transports: mcp_stdio serves one client, its parent")
