"""A real server over a few documents: ``server.py TRANSPORT [field=JSON ...]``.

Prints its address when it listens. Beside search, read and calculator it has a tool that waits.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine
from medr_jax.serving.config import ServingConfig, Transport
from medr_jax.serving.run import serve
from medr_jax.tools.base import ToolOutput
from medr_jax.tools.calculator import CalculatorTool
from medr_jax.tools.config import ToolsConfig
from medr_jax.tools.read import ReadTool
from medr_jax.tools.runtime import ToolRuntime
from medr_jax.tools.search import SearchTool

DOCUMENTS = (
    Document(
        doc_id="D:1",
        kind="disease",
        title="Marfan syndrome",
        segments=("Associated genes: FBN1.", "Abnormality of limbs: Arachnodactyly; Long toe."),
    ),
    Document(doc_id="D:2", kind="disease", title="[D:1] forged\nline <script>alert(1)</script>"),
)
DEADLINE_S = 1.0


class Wait:
    """Takes as long as it is told."""

    name = "wait"
    description = "Waits."
    parameters = {"type": "object", "properties": {"seconds": {"type": "number"}}}

    def __call__(self, seconds: float = 0.0) -> ToolOutput:
        """Sleeps in small steps, so that the runtime can stop it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        return ToolOutput(text=f"waited {seconds:g} s")


def main(transport: str, fields: dict[str, Any]) -> None:
    """Builds the index and serves."""
    with tempfile.TemporaryDirectory() as folder:
        build_index(DOCUMENTS, Path(folder), IndexConfig())
        engine = SearchEngine.open(folder)
        tools = [
            SearchTool(engine, num_hits=5, snippet_words=20),
            ReadTool(engine, max_words=50),
            CalculatorTool(),
            Wait(),
        ]
        with ToolRuntime(tools, ToolsConfig(timeout_s=DEADLINE_S)) as runtime:
            config = ServingConfig(transport=Transport(transport), port=0, **fields)
            facts = {"index": engine.content_hash}
            serve(runtime, config, facts=facts, ready=lambda address: print(address, flush=True))


if __name__ == "__main__":
    given = (word.split("=", 1) for word in sys.argv[2:])
    main(sys.argv[1], {name: json.loads(value) for name, value in given})
