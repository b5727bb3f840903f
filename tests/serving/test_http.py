"""A real HTTP client against a real server process."""

import concurrent.futures
import http.client
import json
import re
import signal
import socket
import time
import urllib.parse

import pytest

TOKEN = "a-token-of-the-tests-1234"
JSON = {"Content-Type": "application/json"}


def ask(address, path, body=None, headers=None, method=None):
    """(status, headers, decoded body). A dict is sent as JSON, bytes as they are."""
    where = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    given = {**(JSON if body is not None else {}), **(headers or {})}
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, sent, given)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return response.status, found, json.loads(text) if "json" in found["content-type"] else text


def test_every_tool_answers(http_address):
    status, _, listed = ask(http_address, "/tools")
    assert status == 200
    assert [tool["name"] for tool in listed["tools"]] == ["search", "read", "calculator", "wait"]
    assert len(listed["index"]) == 64
    status, headers, found = ask(http_address, "/tools/search", {"query": "marfan"})
    assert (status, found["status"], found["hits"][0]["doc_id"]) == (200, "ok", "D:1")
    assert headers["cache-control"] == "no-store"
    _, _, read = ask(http_address, "/tools/read", {"doc_id": "D:1"})
    assert read["hits"][0]["snippet"].startswith("Associated genes: FBN1.")
    _, _, sum_ = ask(http_address, "/tools/calculator", {"expression": "2*21"})
    assert sum_["text"] == "2*21 = 42"
    assert ask(http_address, "/tools/search", {"query": "qwertyuiop"})[2]["text"] == "no results"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/tools/serach", {}, 404, "no tool 'serach'; there are: search, read, calculator, wait"),
        ("/tools/search", {}, 422, "search needs the argument query"),
        ("/tools/search", {"query": "x", "kind": "drug"}, 422, 'kind "drug" is not one of'),
        ("/tools/read", {"doc_id": "../../etc/passwd"}, 422, "no document '../../etc/passwd'"),
        ("/tools/calculator", {"expression": "__import__('os')"}, 422, "no function '__import__'"),
        ("/tools/wait", {"seconds": 30}, 504, "wait took longer than 1 s"),
    ],
)
def test_failures_are_typed(http_address, path, body, status, said):
    found_status, _, found = ask(http_address, path, body)
    assert found_status == status
    assert said in found["text"] and found["hits"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'"query"', 400),
        (b'{"query": ', 400),
        (b'{"query": "\xff"}', 400),
        (b"[" * 15_000, 400),
        (b'{"query": ' + b'{"a":' * 3_000 + b"1" + b"}" * 3_000 + b"}", (400, 422)),
        (b'{"query": 1e999}', (400, 422)),
        (b'{"query": %s}' % (b"9" * 5_000), (400, 422)),
        (b'{"query": ["x"]}', 422),
        (b'{"query": "\\ud800"}', (200, 400)),
        (json.dumps({"query": "(" * 1900}).encode(), 200),
        (json.dumps({"query": "-foo *:* \x00\x1b[31m"}).encode(), 200),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hostile_bodies_do_not_reach_further_than_an_error(http_address, body, status):
    found, _, answer = ask(http_address, "/tools/search", body)
    assert found in (status if isinstance(status, tuple) else (status,)), answer
    assert "Traceback" not in str(answer)
    assert ask(http_address, "/health")[2] == {"status": "ok"}


def test_long_requests_are_refused(http_address):
    status, _, answer = ask(http_address, "/tools/search", b" " * 20_001)
    assert (status, answer["error"]) == (413, "the request is longer than 20,000 bytes")
    # Without a length that tells it beforehand.
    parts = iter([b" " * 9_000] * 3)
    status, _, _ = ask(http_address, "/tools/search", parts)
    assert status == 413


def test_a_body_that_does_not_come_is_not_waited_for(http_address):
    where = urllib.parse.urlsplit(http_address)
    with socket.create_connection((where.hostname, where.port), 10) as raw:
        raw.sendall(
            b"POST /tools/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
            b"Content-Type: application/json\r\n\r\n{"
        )
        start = time.monotonic()
        assert b" 408 " in raw.recv(4096).splitlines()[0]
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Host": "evil.example"}, 421),  # a name that was made to point here
        ({"Host": "localhost.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:3000"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_pages_of_other_sites_cannot_use_it(http_address, headers, status):
    assert ask(http_address, "/tools/search", {"query": "x"}, headers)[0] == status


def test_without_the_token_nothing_but_health_and_no_query_is_kept(start):
    with start("http", token=TOKEN) as (address, process):
        for headers in (
            {},
            {"Authorization": ""},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": TOKEN},
        ):
            for path, body in (("/tools/search", {"query": "x"}), ("/tools", None), ("/", None)):
                status, found, answer = ask(address, path, body, headers)
                assert (status, found["www-authenticate"]) == (401, "Bearer"), (path, headers)
                assert "FBN1" not in str(answer)
        assert ask(address, "/health")[0] == 200
        right = {"Authorization": f"bearer {TOKEN}", "Origin": "https://app.example"}
        query = {"query": "secretquery marfan"}
        assert ask(address, "/tools/search", query, right)[0] == 200
        assert ask(address, "/tools/read", {"doc_id": "secretid"}, right)[0] == 422
        _, _, calls = ask(address, "/calls", headers=right)
        assert calls["search"]["statuses"] == {"ok": 1}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "search: 1 calls" in err
    assert "secret" not in out + err + str(calls) and TOKEN not in out + err


def test_beyond_the_limit_clients_are_told_to_come_back_and_a_log_is_kept(start, tmp_path):
    log = tmp_path / "log" / "calls.jsonl"
    pool = concurrent.futures.ThreadPoolExecutor()
    with start("http", max_concurrent=2, query_log=str(log)) as (address, _), pool:
        slow = [pool.submit(ask, address, "/tools/wait", {"seconds": 0.8}) for _ in range(2)]
        time.sleep(0.3)
        status, headers, _ = ask(address, "/tools/search", {"query": "x"})
        assert (status, headers["retry-after"]) == (503, "1")
        assert ask(address, "/health")[0] == 200
        assert [one.result()[0] for one in slow] == [200, 200]
        assert ask(address, "/tools/search", {"query": "marfan"})[0] == 200
        ask(address, "/tools/wait", {"seconds": "x"})
    *_, first, second = map(json.loads, log.read_text().splitlines())
    assert (first["tool"], first["arguments"]) == ("search", {"query": "marfan"})
    assert (first["status"], second["status"]) == ("ok", "tool_error")


def test_it_describes_itself_and_loads_nothing_from_elsewhere(http_address):
    _, _, described = ask(http_address, "/openapi.json")
    call = described["paths"]["/tools/search"]["post"]
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["query"]
    reference = call["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    result = described["components"]["schemas"][reference.rpartition("/")[2]]
    assert {"status", "hits", "text"} <= result["properties"].keys()
    for path in ("/", "/docs"):
        _, headers, page = ask(http_address, path)
        assert "text/html" in headers["content-type"]
        assert "<h2>search</h2>" in page and "default-src &#39;none&#39;" in page
        assert not re.search(r'(src|href)="(https?:)?//', page)
