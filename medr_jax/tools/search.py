"""The ``search`` tool."""

import itertools
from collections.abc import Container, Sequence

from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.base import ToolOutput
from medr_jax.types import Hit

MAX_QUERY_CHARS = 2000


class SearchTool:
    """Ranked documents for a query, each with the words that match it.

    With ``max_queries`` above 1 it takes a list of queries instead, with ``max_hits`` above 0
    the number of documents for each.
    """

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
        max_hits: int = 0,
        max_queries: int = 1,
    ) -> None:
        self._engine = engine
        self._num_hits = num_hits
        self._snippet_words = snippet_words
        self._exclude = exclude
        query = {
            "type": "string",
            "description": "names, findings or an identifier such as HP:0001166",
            "minLength": 1,
            "maxLength": MAX_QUERY_CHARS,
        }
        wanted = "query"
        properties = {
            "query": query,
            "kind": {
                "type": "string",
                "description": 'only documents of this kind; "" for all',
                "enum": ["", *engine.kinds],
            },
        }
        if max_queries > 1:
            wanted = "queries"
            several = {
                "type": "array",
                "description": "queries that are searched at once",
                "items": query,
                "minItems": 1,
                "maxItems": max_queries,
            }
            properties = {"queries": several, "kind": properties["kind"]}
        if max_hits:
            properties["num_hits"] = {
                "type": "integer",
                "description": f"documents for each query; {num_hits} unless given",
                "minimum": 1,
                "maximum": max_hits,
            }
        self.parameters = {
            "type": "object",
            "properties": properties,
            "required": [wanted],
            "additionalProperties": False,
        }

    def __call__(
        self,
        query: str = "",
        kind: str = "",
        queries: Sequence[str] = (),
        num_hits: int | None = None,
    ) -> ToolOutput:
        """Hits, best first; none for a query without a word that any document has.

        Several queries take turns: the best hit of each, then the second best, each document
        once.
        """
        found = self._engine.search_many(
            queries or [query],
            num_hits=num_hits or self._num_hits,
            kind=kind,
            exclude=self._exclude,
            snippet_words=self._snippet_words,
        )
        merged: dict[str, Hit] = {}
        for hit in filter(None, itertools.chain(*itertools.zip_longest(*found))):
            merged.setdefault(hit.doc_id, hit)
        return ToolOutput(hits=tuple(merged.values()))
