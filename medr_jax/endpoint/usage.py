"""What requests cost."""

from medr_jax.endpoint.config import EndpointConfig
from medr_jax.types import Record


class Usage(Record):
    """Tokens read and written, and requests made."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            requests=self.requests + other.requests,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            requests=self.requests - other.requests,
        )

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens


def cost_usd(usage: Usage, config: EndpointConfig) -> float:
    """Price of a usage in US dollars."""
    dollars = usage.input_tokens * config.usd_per_million_input
    return (dollars + usage.output_tokens * config.usd_per_million_output) / 1e6
