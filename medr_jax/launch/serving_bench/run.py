"""Starts a server process for each transport, lets clients ask it, and reports."""

import asyncio
import dataclasses
import multiprocessing
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medr_jax import console
from medr_jax.launch import diagnosis, record, stages
from medr_jax.launch.serving import serve
from medr_jax.launch.serving_bench import report
from medr_jax.launch.serving_bench.calls import make_calls
from medr_jax.launch.serving_bench.clients import connect, load
from medr_jax.launch.serving_bench.config import ServingBenchConfig
from medr_jax.serving import run as serving
from medr_jax.serving.config import Transport

_START_S = 300.0
_POLL_S = 0.5


def bench_serving(config: SimpleNamespace) -> Path:
    """Measures every transport and writes ``serving.md`` and ``serving.json``.

    Raises:
        ValueError: a package is missing, or a server did not start.
    """
    bench: ServingBenchConfig = config.serving_bench
    for transport in bench.transports:
        serving.check_installed(dataclasses.replace(config.serving, transport=transport))
    graph = stages.graph(config)
    stages.index(config, graph)
    diagnosis.of_tools(config, graph)  # made before the servers start
    calls = make_calls(stages.load_graph(graph), config.tools, bench.num_calls, bench.seed)
    results: dict[str, Any] = {"facts": _facts(bench), "transports": {}}
    for transport in bench.transports:
        with server(config, transport) as address, console.stage(str(transport)) as line:
            token = config.serving.token()
            samples = asyncio.run(
                load(
                    lambda: connect(transport, address, token),  # noqa: B023
                    calls,
                    num_clients=bench.num_clients,
                    seconds=bench.seconds,
                )
            )
            found = report.summary(samples, bench.seconds)
            line.update({name: found[name] for name in ("calls", "errors", "p50_ms", "p99_ms")})
        results["transports"][str(transport)] = found
    table = report.write(results, Path(bench.out))
    console.say(table.read_text(encoding="utf-8"))
    return table


@contextmanager
def server(config: SimpleNamespace, transport: Transport) -> Iterator[str]:
    """The address of a server process, which ends afterwards."""
    changed = SimpleNamespace(**vars(config))
    changed.serving = dataclasses.replace(config.serving, transport=transport, port=0)
    context = multiprocessing.get_context("spawn")
    addresses: Any = context.Queue()
    process = context.Process(target=_serve, args=(changed, addresses))
    process.start()
    try:
        yield _address(addresses, process, transport)
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()


def _serve(config: SimpleNamespace, addresses: Any) -> None:
    try:
        serve(config, ready=addresses.put)
    except ValueError as problem:
        console.error(str(problem))
        raise SystemExit(2) from None


def _address(addresses: Any, process: Any, transport: Transport) -> str:
    waited = 0.0
    while waited < _START_S:
        try:
            return addresses.get(timeout=_POLL_S)
        except queue.Empty:
            waited += _POLL_S
            if not process.is_alive():
                break
    raise ValueError(f"the {transport} server did not start; its messages stand above")


def _facts(bench: ServingBenchConfig) -> dict[str, Any]:
    return record.environment() | {
        "command": record.command("bench_serving"),
        "num_clients": bench.num_clients,
        "seconds": bench.seconds,
    }
