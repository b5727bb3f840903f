"""The small graph and its table."""

import pytest

from medr_jax.diagnosis.table import DiseaseTable
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.testing.diagnosis import make_table, small_graph


@pytest.fixture(scope="session")
def graph() -> KnowledgeGraph:
    return small_graph()


@pytest.fixture(scope="session")
def table(graph) -> DiseaseTable:
    return make_table(graph)
