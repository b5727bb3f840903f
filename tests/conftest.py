"""Shared fixtures. Shapes and types of annotated functions are checked while tests run."""

import os

# Two xdist workers on two cores: one thread each, and no accelerator.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests compile much and compute little.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from jaxtyping import install_import_hook

with install_import_hook("medr_jax", "beartype.beartype"):
    import medr_jax.types  # noqa: F401  (the hook stays for later imports of the package)

from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

# Seeded, and without deadlines: how long a case takes depends on who else uses the machine.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.load_profile("suite")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real files that are not part of the product; tests that need them skip without."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs the project's shared data folder, which is not here")
    return path


@pytest.fixture(scope="session")
def stage_config() -> SimpleNamespace:
    """Settings of the graph and index stages, kept between test runs under artifacts/."""
    from medr_jax.graph.build import GraphConfig
    from medr_jax.launch.stages import PathsConfig
    from medr_jax.retrieval.config import IndexConfig

    return SimpleNamespace(
        paths=PathsConfig(artifacts=str(ROOT / "artifacts")),
        graph=GraphConfig(),
        index=IndexConfig(),
    )


@pytest.fixture(scope="session")
def hpo_graph(stage_config):
    """The real knowledge graph, built once and then loaded."""
    from medr_jax.launch import stages

    return stages.load_graph(stages.graph(stage_config))


@pytest.fixture(scope="session")
def hpo_engine(stage_config):
    """The search engine over the real graph's documents, built once and then opened."""
    from medr_jax.launch import stages

    return stages.load_engine(stages.index(stage_config))
