"""Settings of a tool server: where it listens, who may ask, and how much at once."""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MIN_TOKEN_CHARS = 16
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Transport(StrEnum):
    """How agents reach the tools."""

    http = "http"  # one address a tool, JSON in and out
    mcp_http = "mcp_http"  # MCP's streamable HTTP, under /mcp
    mcp_stdio = "mcp_stdio"  # MCP over standard input and output of a child process


@dataclass(kw_only=True, slots=True)
class ServingConfig:
    """One server. The token itself never stands in a config."""

    transport: Transport = Transport.http
    host: str = "127.0.0.1"  # any other than a loopback address needs a token
    port: int = 8000  # 0 = one that is free
    token_variable: str = "MEDR_SERVE_TOKEN"  # environment variable with the bearer token
    certificate: str = ""  # PEM files; "" = no TLS
    private_key: str = ""
    max_request_bytes: int = 65_536
    max_concurrent: int = 32  # requests at the same time; more are told to come back
    body_timeout_s: float = 10.0  # for a request's body to arrive
    query_log: str = ""  # JSONL file that calls are kept in, text included; "" = no text is kept
    benchmark_sites: bool = False  # web tools may read sites that carry benchmarks

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"serving.port={self.port}: must be from 0 (any free one) to 65535")
        for name in ("max_request_bytes", "max_concurrent", "body_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"serving.{name}={getattr(self, name)}: must be above 0")
        if bool(self.certificate) != bool(self.private_key):
            raise ValueError("serving.certificate and serving.private_key: give both or neither")
        for name in ("certificate", "private_key"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise ValueError(f"serving.{name}={path!r}: no such file")

    @property
    def is_local(self) -> bool:
        """Whether every address of ``host`` is this machine's loopback.

        Raises:
            ValueError: the host has no address.
        """
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ValueError(f"serving.host={self.host!r}: no address of this name") from None
        return all(
            ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found
        )

    def token(self) -> str:
        """The token from the environment; "" where none is set and none is needed.

        Raises:
            ValueError: the host is not loopback and no token is set, or a token is too weak.
        """
        if self.transport is Transport.mcp_stdio:
            return ""  # whoever can start the process can use it
        token = os.environ.get(self.token_variable, "") if self.token_variable else ""
        if not token:
            if self.is_local:
                return ""
            raise ValueError(
                f"serving.host={self.host}: others can reach this address, so a token is needed; "
                f"set the environment variable {self.token_variable or 'serving.token_variable'}"
            )
        if len(token) < MIN_TOKEN_CHARS or not _TOKEN.fullmatch(token):
            raise ValueError(
                f"the token in {self.token_variable} must have at least {MIN_TOKEN_CHARS} visible "
                "ASCII characters and no space; `openssl rand -hex 32` makes one"
            )
        return token
