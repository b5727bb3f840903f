"""The ``search`` tool."""

from collections.abc import Container

from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.base import ToolOutput
from medr_jax.types import Hit

MAX_QUERY_CHARS = 2000


class SearchTool:
    """Ranked documents for a query, each with the words that match it."""

    name = "search"
    description = (
        "Search medical documents about diseases, phenotypes and genes. Returns the best "
        "documents with the parts that match the query."
    )

    def __init__(
        self,
        engine: SearchEngine,
        *,
        num_hits: int,
        snippet_words: int,
        exclude: Container[str] = frozenset(),
    ) -> None:
        self._engine = engine
        self._num_hits = num_hits
        self._snippet_words = snippet_words
        self._exclude = exclude
        self.parameters = {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "names, findings or an identifier such as HP:0001166",
                    "minLength": 1,
                    "maxLength": MAX_QUERY_CHARS,
                },
                "kind": {
                    "type": "string",
                    "description": 'only documents of this kind; "" for all',
                    "enum": ["", *engine.kinds],
                },
            },
            "required": ["query"],
            "additionalProperties": False,
        }

    def __call__(self, query: str, kind: str = "") -> ToolOutput:
        """Hits, best first; none for a query without a word that any document has."""
        hits: list[Hit] = self._engine.search(
            query,
            num_hits=self._num_hits,
            kind=kind,
            exclude=self._exclude,
            snippet_words=self._snippet_words,
        )
        return ToolOutput(hits=tuple(hits))
