"""Calls that an agent could make, drawn from the graph."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.tools.config import ToolName, ToolsConfig
from medr_jax.types import Kind, Relation

_SHARES = {
    ToolName.search: 0.5,
    ToolName.read: 0.2,
    ToolName.lookup: 0.15,
    ToolName.diagnose: 0.1,
    ToolName.calculator: 0.05,
}
"""Of all calls; the web's tools are left out, for they would measure another machine."""

_FINDINGS = 4

Call = tuple[str, dict[str, Any]]


def make_calls(graph: KnowledgeGraph, config: ToolsConfig, count: int, seed: int) -> list[Call]:
    """Calls of the tools that ``config`` lists, in random order; each should succeed."""
    rng = random.Random(seed)
    diseases = list(graph.entity_ids(Kind.DISEASE))
    makers: dict[ToolName, Callable[[str], dict[str, Any]]] = {
        ToolName.search: lambda one: _search(graph, one, config, rng),
        ToolName.read: lambda one: {"doc_id": one},
        ToolName.lookup: lambda one: {"entity": one},
        ToolName.diagnose: lambda one: {"findings": _findings(graph, one, rng)},
        ToolName.calculator: lambda one: {"expression": f"bmi({rng.randint(40, 120)}, 1.75)"},
    }
    names = [name for name in config.names if name in makers]
    drawn = rng.choices(names, [_SHARES[name] for name in names], k=count)
    return [(str(name), makers[name](_disease(graph, diseases, rng))) for name in drawn]


def _disease(graph: KnowledgeGraph, diseases: Sequence[str], rng: random.Random) -> str:
    """One with findings."""
    while True:
        chosen = rng.choice(diseases)
        if graph.targets(chosen, Relation.HAS_PHENOTYPE):
            return chosen


def _findings(graph: KnowledgeGraph, disease: str, rng: random.Random) -> list[str]:
    stated = list(graph.targets(disease, Relation.HAS_PHENOTYPE))
    return rng.sample(stated, min(_FINDINGS, len(stated)))


def _search(
    graph: KnowledgeGraph, disease: str, config: ToolsConfig, rng: random.Random
) -> dict[str, Any]:
    """A name, or findings as they are called."""
    if rng.random() < 0.5:
        query = graph.entity(disease).name
    else:
        query = ", ".join(graph.entity(one).name for one in _findings(graph, disease, rng))
    return {"queries": [query]} if config.max_queries > 1 else {"query": query}
