"""Which endpoint is asked, how fast, how long, and for how much."""

import os
import urllib.parse
from dataclasses import dataclass

from medr_jax import console


@dataclass(kw_only=True, slots=True)
class EndpointConfig:
    """An OpenAI-compatible chat endpoint. The key itself never stands in a config."""

    base_url: str = "http://localhost:8000/v1"
    model: str = ""  # as the endpoint names it
    api_key_env: str = ""
    """Environment variable that holds the key; "" for an endpoint that asks for none."""
    temperature: float = 0.0
    max_completion_tokens: int = 1024
    timeout_s: float = 120.0  # of one request, the whole answer included
    task_timeout_s: float = 900.0  # of everything that one task asks, waiting included
    max_retries: int = 5  # of a request that failed on the endpoint's side
    max_reasks: int = 2  # of a request whose answer does not fit the schema
    backoff_s: float = 1.0  # before the first retry; doubles, and is jittered
    max_backoff_s: float = 60.0
    requests_per_minute: float = 0.0  # retries count; 0 = no limit
    concurrency: int = 8  # tasks at the same time
    budget_tokens: int = 0  # read and written over the whole job; 0 = no cap
    budget_usd: float = 0.0  # 0 = no cap
    usd_per_million_input: float = 0.0
    usd_per_million_output: float = 0.0

    def __post_init__(self) -> None:
        url = urllib.parse.urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"endpoint.base_url={self.base_url!r}: give an http(s) address")
        if url.username or url.password or url.query:
            raise ValueError(
                "endpoint.base_url holds a user name, a password or a query; put the key into an "
                "environment variable and name that in endpoint.api_key_env"
            )
        for name in ("timeout_s", "task_timeout_s", "max_completion_tokens", "concurrency"):
            if not getattr(self, name) > 0:
                raise ValueError(f"endpoint.{name}={getattr(self, name)}: must be above 0")
        for name in (
            *("temperature", "max_retries", "max_reasks", "backoff_s", "max_backoff_s"),
            *("requests_per_minute", "budget_tokens", "budget_usd"),
            *("usd_per_million_input", "usd_per_million_output"),
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"endpoint.{name}={getattr(self, name)}: must be at least 0")
        if self.budget_usd and not (self.usd_per_million_input or self.usd_per_million_output):
            raise ValueError(
                f"endpoint.budget_usd={self.budget_usd}: also give the prices, "
                "endpoint.usd_per_million_input and usd_per_million_output"
            )

    @property
    def identity(self) -> dict[str, object]:
        """What answers depend on: neither speed nor budget, and not the address, since the same
        model may be served at another one when a job goes on."""
        names = ("model", "temperature", "max_completion_tokens")
        return {name: getattr(self, name) for name in names}

    def checked(self) -> "EndpointConfig":
        """The config, once a model is named. Raises ValueError when none is."""
        if not self.model:
            raise ValueError("endpoint.model is empty: name the model as the endpoint calls it")
        return self

    def api_key(self) -> str:
        """The key from the environment. Raises ValueError naming the variable that is not set."""
        if not self.api_key_env:
            return ""
        if key := os.environ.get(self.api_key_env):
            return key
        raise ValueError(
            f"endpoint.api_key_env={self.api_key_env}: that environment variable is not set"
        )


def say_where_data_go(config: EndpointConfig) -> None:
    """A line for the user, unless requests stay on this machine."""
    host = urllib.parse.urlsplit(config.base_url).hostname
    if host not in ("localhost", "127.0.0.1", "::1"):
        console.say(f"requests go to {host}: send no patient data there")
