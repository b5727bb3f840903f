"""The command over a corpus of the user's, and clients of a server of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("mcp", reason="needs the extra 'serve'")

from medr_jax.launch.serving_bench import report
from medr_jax.launch.serving_bench.calls import make_calls
from medr_jax.launch.serving_bench.clients import Sample, connect, load
from medr_jax.launch.serving_bench.run import server
from medr_jax.serving.config import ServingConfig, Transport
from medr_jax.tools.config import ToolName, ToolsConfig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    records = [{"id": f"T:{n}", "title": f"Fever {n}", "text": "Cough."} for n in range(20)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def command(tmp_path, *overrides, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "MEDR_SERVE_TOKEN"}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "experiments.serve", "serving.port=0"),
            *(f"paths.artifacts={tmp_path}/artifacts", f"paths.runs={tmp_path}/runs"),
            *overrides,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
    )


def test_the_command_serves_files_of_the_users(tmp_path, corpus):
    process = command(
        tmp_path,
        "index.graph=false",
        f"index.sources=[{{format: jsonl, path: {corpus}}}]",
        "tools.names=[search,read]",
    )
    lines = []
    while not any("serving  " in line for line in lines):
        lines.append(process.stderr.readline())
        assert lines[-1], "".join(lines)
    address = lines[-1].split()[1]
    request = urllib.request.Request(
        f"{address}/tools/search",
        json.dumps({"queries": ["fever 7"]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found = json.load(answer)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert found["hits"][0]["doc_id"] == "T:7"
    assert process.returncode == 0 and "Traceback" not in err


def test_an_open_address_without_a_token_is_refused_before_anything_is_built(tmp_path):
    process = command(tmp_path, "serving.host=0.0.0.0")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "MEDR_SERVE_TOKEN" in err and "Traceback" not in err
    assert not (tmp_path / "artifacts").exists()


def test_the_load_is_reported_with_its_errors():
    samples = [Sample("search", float(n), "") for n in range(1, 100)]
    samples.append(Sample("read", 500.0, "no"))
    found = report.summary(samples, seconds=2.0)
    assert (found["calls"], found["errors"], found["examples"]) == (100, 1, {"no": 1})
    assert found["calls_per_s"] == 50.0
    # Over all calls, the slow one included: 50.5 and 103.0; without it p99 would be 98.0.
    assert (found["p50_ms"], round(found["p99_ms"], 2)) == (50.5, 103.01)
    facts = {"command": "c", "commit": "", "platform": "", "cpus": 2, "python": ""}
    facts |= {"num_clients": 20, "seconds": 2.0}
    shown = report.table({"facts": facts, "transports": {"http": found}})
    assert "| **http** | all | 100 | 1 | 50 | 50.5 | 103.0 | 500.0 |" in shown


@pytest.mark.slow
@pytest.mark.parametrize("transport", [Transport.http, Transport.mcp_http])
def test_twenty_clients_at_once_see_no_error(transport, stage_config, hpo_graph, monkeypatch):
    """A minute's load, cut to eight seconds; bench_serving runs the whole one."""
    from medr_jax.diagnosis.config import DiagnosisConfig

    monkeypatch.delenv("MEDR_SERVE_TOKEN", raising=False)
    config = SimpleNamespace(
        **vars(stage_config),
        diagnosis=DiagnosisConfig(),
        serving=ServingConfig(),
        tools=ToolsConfig(
            names=[
                *(ToolName.search, ToolName.read, ToolName.lookup),
                *(ToolName.diagnose, ToolName.calculator),
            ],
            max_queries=4,
        ),
    )
    calls = make_calls(hpo_graph, config.tools, 500, seed=0)
    assert {tool for tool, _ in calls} == set(map(str, config.tools.names))
    with server(config, transport) as address:
        samples = asyncio.run(
            load(lambda: connect(transport, address, ""), calls, num_clients=20, seconds=8)
        )
    assert [sample.error for sample in samples if sample.error] == []
    assert len(samples) > 100
