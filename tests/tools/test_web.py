"""The web tools against a server of the test's own, and addresses that are refused."""

import http.server
import json
import socket
import threading

import pytest

from medr_jax.tools import hosting_sites, web_client
from medr_jax.tools.base import ToolError
from medr_jax.tools.web import ServiceError, WebReadTool, WebSearchTool, text_of_html
from medr_jax.tools.web_client import WebConfig, WebError, fetch, is_public, resolve

PAGE = b"""<html><head><title>A &amp; B</title><style>p {}</style></head>
<body><script>alert(1)</script><p>Fib<b>rillin</b> is a <a href=x>protein</a>.</p><p>Yes.</p>"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; what was asked is kept on the server."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        if path == "/busy" and len(self.server.seen) == 1:
            return self._answer(503, b"", {})
        if path.startswith("/to/"):
            return self._answer(302, b"", {"Location": self.path.removeprefix("/to/")})
        body, kind = {
            "/page": (PAGE, "text/html; charset=utf-8"),
            "/busy": (b"now", "text/plain"),
            "/long": (b"x" * 5000, "text/plain"),
            "/pdf": (b"%PDF", "application/pdf"),
            "/empty": (b"<p> </p>", "text/html"),
            "/search": (json.dumps(self.server.answer).encode(), "application/json"),
        }.get(path, (None, ""))
        if body is None:
            return self._answer(404, b"", {})
        return self._answer(200, body, {"Content-Type": kind})

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.seen, made.answer = [], {"results": []}
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    made.url = f"http://site.test:{made.server_port}"
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def as_public(monkeypatch):
    """The name site.test is the test's server, as if its address were public."""
    real = socket.getaddrinfo

    def named(host, *arguments, **options):
        return real("127.0.0.1" if host == "site.test" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", named)
    monkeypatch.setattr(web_client, "is_public", lambda address: address == "127.0.0.1")


def test_a_page_is_read_as_text(server, as_public):
    (hit,) = WebReadTool(WebConfig(), max_words=50)(url=f"{server.url}/page").hits
    assert (hit.title, hit.kind, hit.snippet) == ("A & B", "web", "Fibrillin is a protein. Yes.")
    assert hit.doc_id == f"{server.url}/page"
    (short,) = WebReadTool(WebConfig(), max_words=2)(url=f"{server.url}/page").hits
    assert short.snippet == "Fibrillin is ..."


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "the server answered 404"),
        ("/pdf", "application/pdf; only text"),
        ("/empty", "holds no text"),
        ("/long", "longer than 4,000 bytes"),
        ("/to//to//to/page", "more than 1 redirects"),
    ],
)
def test_what_cannot_be_read_is_an_error(server, as_public, path, message):
    tool = WebReadTool(WebConfig(max_bytes=4000, max_redirects=1), max_words=50)
    with pytest.raises(ToolError, match=message):
        tool(url=f"{server.url}{path}")


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(server, as_public):
    assert fetch(f"{server.url}/busy", WebConfig(num_retries=1)).text == "now"
    assert len(server.seen) == 2
    with pytest.raises(WebError, match="404"):
        fetch(f"{server.url}/missing", WebConfig(num_retries=5))
    assert len(server.seen) == 3


def test_a_redirect_to_a_private_address_is_refused(server, as_public, monkeypatch):
    url = f"{server.url}/to/http://10.0.0.1/secret"
    with pytest.raises(WebError, match="private networks are refused"):
        fetch(url, WebConfig())
    assert len(server.seen) == 1


def test_pages_of_sites_with_benchmarks_are_refused_before_a_connection(server, as_public):
    """No address is asked of a name server: github.com has none here."""
    tool = WebReadTool(WebConfig(num_retries=0), max_words=50)
    with pytest.raises(ToolError, match="sites that carry benchmarks are refused"):
        tool(url="https://github.com/some/benchmark")
    with pytest.raises(ToolError, match="sites that carry benchmarks are refused"):
        tool(url=f"{server.url}/to/http://huggingface.co/datasets/x")
    assert len(server.seen) == 1  # the redirect itself


def test_sites_with_benchmarks_can_be_read_where_nothing_is_tested(server, as_public, monkeypatch):
    monkeypatch.setattr(hosting_sites, "HOSTING_SITES", ("site.test",))
    url = f"{server.url}/page"
    with pytest.raises(ToolError, match="sites that carry benchmarks"):
        WebReadTool(WebConfig(), max_words=50)(url=url)
    assert WebReadTool(WebConfig(), max_words=50, benchmark_sites=True)(url=url).hits


def test_the_name_is_resolved_once_and_the_connection_goes_there(server, monkeypatch):
    asked = []
    real = socket.getaddrinfo

    def changing(host, *arguments, **options):
        """Public at first, private afterwards: DNS rebinding."""
        if host != "site.test":  # an address needs no name server
            return real(host, *arguments, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(web_client, "is_public", lambda address: address == "127.0.0.1")
    connected = []
    connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *rest: connected.append(address[0]) or connect(address, *rest),
    )
    fetch(f"{server.url}/page", WebConfig())
    assert (asked, connected) == (["site.test"], ["127.0.0.1"])


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1"),
        *("64:ff9b::a00:1", "2002:7f00:1::", "fe80::1%eth0", "::"),
    ],
)
def test_private_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "starts with http"),
        ("ftp://example.org", "starts with http"),
        ("http://", "starts with http"),
        ("http://user:pass@example.org", "user name or password"),
        ("http://127.0.0.1/", "private networks"),
        ("http://[::1]/", "private networks"),
        ("http://2130706433/", "private networks|not known"),
        ("http://a:99999999/", "not a valid address"),
        ("nonsense", "starts with http"),
    ],
)
def test_addresses_that_are_refused(url, message):
    with pytest.raises(WebError, match=message):
        fetch(url, WebConfig(num_retries=0))


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    found = [(2, 1, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    with pytest.raises(WebError, match="private"):
        resolve("example.org", 80)


# -- search ---------------------------------------------------------------------------------


def search(server, **config):
    url = f"{server.url}/search?format=json&q={{query}}"
    return WebSearchTool(WebConfig(search_url=url, **config), num_hits=2)


def test_hits_are_those_of_the_service(server, as_public):
    server.answer = {
        "results": [
            {"title": "One", "url": "https://a.example", "content": "text"},
            {"title": "no address"},
            {"url": "https://b.example"},
            {"url": "https://c.example"},
        ]
    }
    hits = search(server)(query="a&b=c?").hits
    assert [(h.doc_id, h.title, h.snippet) for h in hits] == [
        ("https://a.example", "One", "text"),
        ("https://b.example", "https://b.example", ""),
    ]
    assert server.seen[0][0] == "/search?format=json&q=a%26b%3Dc%3F"


def test_hits_on_sites_with_benchmarks_are_left_out(server, as_public, monkeypatch):
    """Their snippets may hold a question with its answer. The service's own site does not count."""
    monkeypatch.setattr(hosting_sites, "HOSTING_SITES", ("site.test", "hosting.test"))
    server.answer = {
        "results": [
            {"title": "Gold", "url": "https://www.hosting.test/gold", "content": "answer"},
            {"title": "One", "url": "https://a.example", "content": "text"},
        ]
    }
    assert [hit.title for hit in search(server)(query="x").hits] == ["One"]
    config = WebConfig(search_url=f"{server.url}/search?q={{query}}")
    both = WebSearchTool(config, num_hits=2, benchmark_sites=True)(query="x").hits
    assert [hit.title for hit in both] == ["Gold", "One"]


@pytest.mark.parametrize("answer", [{}, [], {"results": "x"}, "text"])
def test_an_answer_without_results_is_a_failure_and_never_hits(server, as_public, answer):
    server.answer = answer
    with pytest.raises(ServiceError, match="no list 'results'"):
        search(server)(query="x")


def test_a_private_service_must_be_allowed(server, monkeypatch):
    monkeypatch.setenv("SEARCH_TOKEN", "t")
    server.url = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(ServiceError, match="private"):
        search(server)(query="x")
    search(server, private_service=True, token_variable="SEARCH_TOKEN")(query="x")
    assert server.seen[0][1]["Authorization"] == "Bearer t"


def test_broken_markup_is_read_as_far_as_it_goes():
    assert text_of_html("<head><title>T<body>a<p>b</style><script>x") == ("T", "a b")


@pytest.mark.parametrize(
    "wrong",
    [{"search_url": "https://x"}, {"timeout_s": 0.0}, {"max_bytes": 0}, {"num_retries": -1}],
)
def test_wrong_settings_are_refused(wrong):
    (field,) = wrong
    with pytest.raises(ValueError, match=f"tools.web.{field}="):
        WebConfig(**wrong)
