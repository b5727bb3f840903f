"""GET requests to addresses that a model may choose: public hosts only, bounded, pinned.

A host is resolved once; every address it has must be public, and the connection goes to one of
exactly these, so that a second answer of the name server cannot lead elsewhere. Each redirect
is a new URL that is checked in the same way. Proxies of the environment are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.parse
from dataclasses import dataclass

from medr_jax.tools.base import ToolError
from medr_jax.tools.hosting_sites import is_hosting_site

USER_AGENT = "medr-jax"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 502, 503, 504})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_BLOCK_BYTES = 65_536


@dataclass(kw_only=True, slots=True)
class WebConfig:
    """The user's search service and the limits of every request. Nothing is set by default."""

    search_url: str = ""  # with {query}: answers a GET with JSON
    results_field: str = "results"  # where the JSON has its list; these four fit SearXNG
    title_field: str = "title"
    url_field: str = "url"
    text_field: str = "content"
    token_variable: str = ""  # environment variable with the service's bearer token
    private_service: bool = False  # the search service, and only it, may be at a private address
    timeout_s: float = 10.0  # per request, redirects included
    max_bytes: int = 2_000_000  # of a body; longer ones are refused
    max_redirects: int = 3
    num_retries: int = 1  # after no connection, or a busy server; GET is safe to repeat

    def __post_init__(self) -> None:
        if self.search_url and "{query}" not in self.search_url:
            raise ValueError(
                f"tools.web.search_url={self.search_url!r}: write {{query}} where the words go"
            )
        if not self.timeout_s > 0:
            raise ValueError(f"tools.web.timeout_s={self.timeout_s}: must be above 0 seconds")
        if self.max_bytes < 1:
            raise ValueError(f"tools.web.max_bytes={self.max_bytes}: must be at least 1")
        for name in ("max_redirects", "num_retries"):
            if getattr(self, name) < 0:
                raise ValueError(f"tools.web.{name}={getattr(self, name)}: must be at least 0")


class WebError(ToolError):
    """The page cannot be had. ``temporary``: the same request may work later."""

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What an address answered."""

    url: str  # after redirects
    content_type: str  # "text/html"
    charset: str
    body: bytes

    @property
    def text(self) -> str:
        """The body decoded; what does not decode is marked."""
        try:
            return self.body.decode(self.charset, errors="replace")
        except LookupError:
            return self.body.decode("utf-8", errors="replace")


def fetch(
    url: str,
    config: WebConfig,
    *,
    token: str = "",
    allow_private: bool = False,
    benchmark_sites: bool = False,
) -> Page:
    """The page at ``url``, after at most ``max_redirects`` redirects and ``num_retries`` retries.

    ``token`` goes to the first host only, never along with a redirect to another one. Sites that
    carry benchmarks are refused, after redirects too, unless ``benchmark_sites``.

    Raises:
        WebError: a refused address, no connection, an error status, or a body that is too long.
    """
    deadline = time.monotonic() + config.timeout_s
    first_host = urllib.parse.urlsplit(url).netloc
    retries = redirects = 0
    while True:
        mine = token if urllib.parse.urlsplit(url).netloc == first_host else ""
        try:
            if is_hosting_site(url) and not benchmark_sites:
                raise WebError("sites that carry benchmarks are refused")
            answer = _get(url, config, deadline, mine, allow_private)
        except WebError as error:
            if not error.temporary or retries >= config.num_retries:
                raise
            retries += 1
            continue
        if isinstance(answer, Page):
            return answer
        redirects += 1
        if redirects > config.max_redirects:
            raise WebError(f"more than {config.max_redirects} redirects")
        url = urllib.parse.urljoin(url, answer)


def _get(
    url: str, config: WebConfig, deadline: float, token: str, allow_private: bool
) -> Page | str:
    """The page, or where a redirect leads."""
    parts = _checked_url(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = resolve(parts.hostname, port, allow_private=allow_private)
    connection = _Pinned(parts, port, addresses, _left(deadline))
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    target = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        if response.status in _REDIRECTS and response.getheader("Location"):
            return response.getheader("Location")
        if response.status != 200:
            reason = f"{response.status} {response.reason}".strip()
            raise WebError(f"the server answered {reason}", temporary=response.status in _BUSY)
        if response.getheader("Content-Encoding", "identity") != "identity":
            raise WebError("the server sent compressed data that was not asked for")
        kind = response.headers
        return Page(
            url=url,
            content_type=kind.get_content_type(),
            charset=kind.get_content_charset("utf-8"),
            body=_body(response, config.max_bytes, deadline),
        )
    except (OSError, http.client.HTTPException) as error:
        raise WebError(f"no answer ({type(error).__name__})", temporary=True) from error
    finally:
        connection.close()


def _checked_url(url: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise WebError("not a valid address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise WebError("give an address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise WebError("an address with a user name or password is refused")
    return parts


def resolve(host: str, port: int, *, allow_private: bool = False) -> list[str]:
    """Addresses of a host. Raises WebError where there is none, or one is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebError("the host's name is not known", temporary=True) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private and not all(map(is_public, addresses)):
        raise WebError("addresses of private networks are refused")
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address, and the IPv4 address inside of it, can be reached by everyone."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if not all(is_public(str(one)) for one in inner if one is not None):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast


class _Pinned(http.client.HTTPConnection):
    """A connection to given addresses; the host's name is for the request and the certificate."""

    def __init__(
        self,
        parts: urllib.parse.SplitResult,
        port: int,
        addresses: list[str],
        timeout_s: float,
    ) -> None:
        super().__init__(parts.hostname, port, timeout=timeout_s)
        self._secure = parts.scheme == "https"
        self._addresses = addresses
        self.default_port = 443 if self._secure else 80

    def connect(self) -> None:
        """Tries the addresses in order."""
        for number, address in enumerate(self._addresses, start=1):
            try:
                self.sock = socket.create_connection((address, self.port), self.timeout)
                break
            except OSError:
                if number == len(self._addresses):
                    raise
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def _body(response: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    """The whole body; a server that sends a byte now and then does not outlast the deadline."""
    parts, size = [], 0
    while block := response.read1(_BLOCK_BYTES):
        size += len(block)
        if size > max_bytes:
            raise WebError(f"the page is longer than {max_bytes:,} bytes")
        parts.append(block)
        _left(deadline)
    return b"".join(parts)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise WebError("the server was too slow")
    return left
