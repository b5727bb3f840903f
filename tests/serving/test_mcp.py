"""The SDK's own client against a real server process, over both transports."""

import asyncio
import http.client
import json
import urllib.parse
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("mcp", reason="needs the extra 'serve'")

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

TOKEN = "a-token-of-the-tests-1234"


@asynccontextmanager
async def over_http(address, *, token="", mode="auto"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as web:
        transport = streamable_http_client(address, http_client=web)
        async with Client(transport, mode=mode) as client:
            yield client


async def use(client):
    """What an agent does: lists, searches, reads, errs."""
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(listed) == ["search", "read", "calculator", "wait"]
    assert listed["search"].input_schema["required"] == ["query"]
    assert "maxLength" in listed["search"].input_schema["properties"]["query"]

    found = await client.call_tool("search", {"query": "marfan"})
    assert not found.is_error
    assert found.structured_content["hits"][0]["doc_id"] == "D:1"
    assert found.content[0].text.startswith("[D:1] Marfan syndrome (disease): ")

    read = await client.call_tool("read", {"doc_id": "D:2"})
    # A title's line break cannot begin another hit.
    assert len(read.content[0].text.splitlines()) == 1

    for tool, arguments, status, said in (
        ("search", {}, "tool_error", "search needs the argument query"),
        ("nope", {}, "tool_error", "no tool 'nope'"),
        ("wait", {"seconds": 30}, "timeout", "wait took longer than 1 s"),
        ("search", {"query": "x" * 5_000}, "tool_error", "the most is 2000"),
    ):
        failed = await client.call_tool(tool, arguments)
        assert failed.is_error and said in failed.content[0].text
        assert failed.structured_content["status"] == status
    hostile = await client.call_tool("search", {"query": "(" * 1900 + "-foo \x1b[31m"})
    assert not hostile.is_error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http(mcp_address, mode):
    async def run():
        async with over_http(mcp_address, mode=mode) as client:
            await use(client)

    asyncio.run(run())


def test_over_standard_input_and_output(stdio):
    async def run():
        async with Client(stdio()) as client:
            await use(client)

    asyncio.run(run())


def test_calls_of_one_client_run_at_the_same_time(mcp_address):
    async def run():
        async with over_http(mcp_address) as client:
            start = asyncio.get_running_loop().time()
            calls = [client.call_tool("wait", {"seconds": 0.5}) for _ in range(4)]
            results = await asyncio.gather(*calls)
            assert all(not result.is_error for result in results)
            return asyncio.get_running_loop().time() - start

    assert asyncio.run(run()) < 1.8  # 2.0 s one after the other


def post(address, body, **headers):
    where = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    given = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", where.path, body, given | headers)
    response = connection.getresponse()
    return response.status, response.read()


def test_without_the_token_no_client_gets_in(start):
    async def list_tools(address, token):
        async with over_http(address, token=token) as client:
            return (await client.list_tools()).tools

    with start("mcp_http", token=TOKEN) as (address, _):
        with pytest.raises(BaseException):  # noqa: B017  (a group, by the client's tasks)
            asyncio.run(list_tools(address, TOKEN + "x"))
        for wrong in ("", TOKEN + "x"):
            headers = {"Authorization": f"Bearer {wrong}"} if wrong else {}
            assert post(address, b"{}", **headers)[0] == 401
        assert asyncio.run(list_tools(address, TOKEN))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b" " * 20_001, (413,)),
        (b"{", (400,)),
        (b"[" * 15_000, (400,)),
        (b"\xff", (400,)),
        (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}).encode(), (200, 400)),
        (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "no/such"}).encode(), (200, 400, 404)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hostile_messages(mcp_address, body, status):
    found, answer = post(mcp_address, body)
    assert found in status, answer
    assert b"Traceback" not in answer
    where = urllib.parse.urlsplit(mcp_address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200


def test_there_is_no_stream_to_be_held_open(mcp_address):
    where = urllib.parse.urlsplit(mcp_address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=5)
    connection.request("GET", where.path, headers={"Accept": "text/event-stream"})
    assert connection.getresponse().status == 405


def test_pages_of_other_sites_cannot_use_it(mcp_address):
    assert post(mcp_address, b"{}", Host="evil.example")[0] == 421
    assert post(mcp_address, b"{}", Origin="https://evil.example")[0] == 403
