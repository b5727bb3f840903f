"""A world of numbered diseases with a gene each, and a model behind an endpoint that knows it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from medr_jax.testing.endpoint import Body, message
from medr_jax.tools.base import ToolOutput
from medr_jax.tools.runtime import ToolRuntime, ToolsConfig
from medr_jax.types import Chain, Hit, Hop, Kind, Question, Relation


def question(number: int) -> Question:
    """Which gene goes with the disease of this number."""
    hop = Hop(
        relation=Relation.ASSOCIATED_GENE, source_id=f"D{number}", target_id=f"GENE:G{number}"
    )
    return Question(
        question_id=f"q{number:03d}",
        text=f"Which gene is associated with disease number {number}?",
        chain=Chain(clues=(), hops=(hop,), seed_id=f"D{number}"),
        num_hops=1,
        answer=f"G{number}",
        answer_id=f"GENE:G{number}",
        answer_kind=Kind.GENE,
        split="train",
    )


def names(entity_id: str) -> tuple[str, ...]:
    """An entity's only name."""
    return (entity_id.removeprefix("GENE:").replace("D", "disease number "),)


class Search:
    """Finds the disease that the query names by its number."""

    name = "search"
    description = "Search."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    }

    def __call__(self, query: str) -> ToolOutput:
        """One hit, or none."""
        found = re.search(r"disease number (\d+)", query)
        if not found:
            return ToolOutput()
        title = f"disease number {found[1]}"
        return ToolOutput(
            hits=(
                Hit(doc_id=f"D{found[1]}", title=title, snippet=f"Associated genes: G{found[1]}."),
            )
        )


def tools() -> ToolRuntime:
    """The search alone."""
    return ToolRuntime([Search()], ToolsConfig())


def model(body: Body) -> Body:
    """Searches, then answers what the hit says; structured output where that is asked for."""
    messages = body["messages"]
    told = " ".join(str(one["content"]) for one in messages)
    number = re.search(r"disease number (\d+)", told)[1]
    found = re.search(r"Associated genes: (G\d+)", told)
    answer = {"text": found[1] if found else "G0", "citations": [1] if found else []}
    if "response_format" in body:
        return message(json.dumps(answer))
    if not found:
        return message("I look it up.", ("search", {"query": f"disease number {number} gene"}))
    return message("The result states it.", ("answer", answer))
