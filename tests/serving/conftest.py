"""Server processes, started when first needed and shared by the tests of a module."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("server.py")
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests-1234"


def command(transport, **fields):
    return [
        sys.executable,
        str(SCRIPT),
        transport,
        *(f"{name}={json.dumps(value)}" for name, value in fields.items()),
    ]


def environment(token=""):
    kept = {name: value for name, value in os.environ.items() if name != "MEDR_SERVE_TOKEN"}
    return kept | {"PYTHONPATH": str(ROOT)} | ({"MEDR_SERVE_TOKEN": token} if token else {})


@contextmanager
def running(transport, *, token="", **fields):
    """(address, process) of a server; it is stopped afterwards."""
    process = subprocess.Popen(
        command(transport, **fields),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(token),
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http"), process.communicate(timeout=10)[1]
        yield address, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture(scope="module")
def http_address():
    pytest.importorskip("fastapi", reason="needs the extra 'serve'")
    with running("http", max_request_bytes=20_000, body_timeout_s=0.3) as (address, _):
        yield address


@pytest.fixture(scope="module")
def mcp_address():
    pytest.importorskip("mcp", reason="needs the extra 'serve'")
    with running("mcp_http", max_request_bytes=20_000) as (address, _):
        yield address


@pytest.fixture(scope="session")
def start():
    """``running``, for tests that want a server with settings of their own."""
    pytest.importorskip("fastapi", reason="needs the extra 'serve'")
    pytest.importorskip("mcp", reason="needs the extra 'serve'")
    return running


@pytest.fixture(scope="session")
def stdio():
    """What the SDK's client starts a server process by."""
    mcp = pytest.importorskip("mcp", reason="needs the extra 'serve'")
    program, *arguments = command("mcp_stdio")

    def parameters():
        return mcp.StdioServerParameters(command=program, args=arguments, env=environment())

    return parameters
