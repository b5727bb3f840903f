"""Who may be let in, decided before a server starts."""

import pytest

from medr_jax.serving import run
from medr_jax.serving.config import ServingConfig, Transport

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_loopback_needs_no_token(host, monkeypatch):
    monkeypatch.delenv("MEDR_SERVE_TOKEN", raising=False)
    config = ServingConfig(host=host)
    assert config.is_local and config.token() == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "8.8.8.8"])
def test_any_other_address_needs_one(host, monkeypatch):
    monkeypatch.delenv("MEDR_SERVE_TOKEN", raising=False)
    config = ServingConfig(host=host)
    with pytest.raises(ValueError, match="set the environment variable MEDR_SERVE_TOKEN"):
        config.token()
    monkeypatch.setenv("MEDR_SERVE_TOKEN", TOKEN)
    assert config.token() == TOKEN


def test_a_token_that_is_set_is_asked_for_on_loopback_too(monkeypatch):
    monkeypatch.setenv("MEDR_SERVE_TOKEN", TOKEN)
    assert ServingConfig().token() == TOKEN


@pytest.mark.parametrize("weak", ["short", "0123456789 abcdef", "0123456789abcdé0"])
def test_weak_tokens_are_refused_without_being_shown(weak, monkeypatch):
    monkeypatch.setenv("T", weak)
    with pytest.raises(ValueError, match="at least 16 visible") as error:
        ServingConfig(token_variable="T").token()
    assert weak not in str(error.value)


def test_a_child_process_needs_none(monkeypatch):
    monkeypatch.setenv("MEDR_SERVE_TOKEN", "short")
    assert ServingConfig(transport=Transport.mcp_stdio).token() == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"port": 70_000}, "serving.port=70000"),
        ({"max_concurrent": 0}, "serving.max_concurrent=0"),
        ({"max_request_bytes": 0}, "serving.max_request_bytes=0"),
        ({"body_timeout_s": 0.0}, "serving.body_timeout_s=0.0"),
        ({"certificate": "x.pem"}, "give both or neither"),
        ({"certificate": "no.pem", "private_key": "no.pem"}, "certificate='no.pem': no such file"),
    ],
)
def test_wrong_settings_are_named(fields, said):
    with pytest.raises(ValueError, match=said):
        ServingConfig(**fields)


def test_a_host_without_an_address_is_named():
    with pytest.raises(ValueError, match="serving.host='no such host': no address"):
        ServingConfig(host="no such host").token()


@pytest.mark.parametrize(
    ("transport", "package"), [(Transport.http, "fastapi"), (Transport.mcp_http, "mcp")]
)
def test_a_missing_package_is_named_with_its_extra(transport, package, monkeypatch):
    pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
    for name in (package, f"{package}.server", f"{package}.server.lowlevel"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ValueError, match=r"is not installed: pip install 'medr-jax\[serve\]'"):
        run.check_installed(ServingConfig(transport=transport))
