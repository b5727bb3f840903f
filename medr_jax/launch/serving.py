"""The server of the tools over a config's index."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

from medr_jax import console
from medr_jax.launch import diagnosis, stages
from medr_jax.retrieval.search import SearchEngine
from medr_jax.serving import run
from medr_jax.tools.runtime import standard_tools


def serve(config: SimpleNamespace, ready: Callable[[str], None] | None = None) -> None:
    """Makes sure of the index and what the tools need, then serves until a signal.

    Raises:
        ValueError: a missing package or token, or a port that is taken.
    """
    run.check_installed(config.serving)
    config.serving.token()  # a mistake is told before anything is built
    engine = stages.load_engine(stages.index(config))
    sources = diagnosis.tool_sources(config, engine)
    with console.stage("tools") as line:
        benchmark_sites = config.serving.benchmark_sites
        tools = standard_tools(sources, config.tools, benchmark_sites=benchmark_sites)
        line["names"] = ", ".join(config.tools.names)
    with tools:
        run.serve(tools, config.serving, facts=facts(engine), version=_version(), ready=ready)


def facts(engine: SearchEngine) -> dict[str, Any]:
    """What a client may want to note beside its results."""
    return {"index": engine.content_hash, "documents": len(engine), "kinds": list(engine.kinds)}


def _version() -> str:
    try:
        return version("medr-jax")
    except PackageNotFoundError:
        return "0"  # a checkout that is not installed
