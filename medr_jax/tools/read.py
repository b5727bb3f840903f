"""The ``read`` tool."""

from collections.abc import Container

from medr_jax.retrieval.analysis import plain
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.search import SearchEngine
from medr_jax.retrieval.segments import Segment, segments_of
from medr_jax.retrieval.snippet import whole_text
from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.types import Hit

MAX_ID_CHARS = 200


class ReadTool:
    """A document in full, up to a number of words, as one hit so that it can be cited."""

    name = "read"
    description = "Read a document found by search. Takes its number in the results, or its id."

    def __init__(
        self,
        engine: SearchEngine,
        *,
        max_words: int,
        exclude: Container[str] = frozenset(),
        sections: bool = False,
    ) -> None:
        self._engine = engine
        self._max_words = max_words
        self._exclude = exclude
        properties = {
            "doc_id": {
                "type": "string",
                "description": "number or id of the document",
                "minLength": 1,
                "maxLength": MAX_ID_CHARS,
            }
        }
        if sections:
            properties["section"] = {
                "type": "string",
                "description": 'only the section with this label; "" for all',
                "maxLength": MAX_ID_CHARS,
            }
        self.parameters = {
            "type": "object",
            "properties": properties,
            "required": ["doc_id"],
            "additionalProperties": False,
        }

    def __call__(self, doc_id: str, section: str = "") -> ToolOutput:
        """The hit's snippet is the text. Ids are looked up in the index, never on the disk."""
        # Small models write "hp : 0001166".
        written = "".join(doc_id.split())
        document = self._find(doc_id) or self._find(written) or self._find(written.upper())
        if document is None:
            raise ToolError(
                f"no document {plain(doc_id)[:60]!r}; give the number or id of a search result"
            )
        hit = Hit(
            doc_id=document.doc_id,
            title=plain(document.heading),
            kind=document.kind,
            snippet=whole_text(_chosen(segments_of(document), section), self._max_words),
        )
        return ToolOutput(hits=(hit,))

    def _find(self, doc_id: str) -> Document | None:
        return None if doc_id in self._exclude else self._engine.document(doc_id)


def _chosen(segments: list[Segment], section: str) -> list[Segment]:
    """Those with the label, or all for ""; small models do not keep to upper and lower case."""
    wanted = section.strip().rstrip(":").casefold()
    if not wanted:
        return segments
    chosen = [segment for segment in segments if segment.label.casefold() == wanted]
    if not chosen:
        labels = dict.fromkeys(segment.label for segment in segments if segment.label)
        raise ToolError(
            f"no section {plain(section)[:60]!r}; there are: {', '.join(labels) or 'none'}"
        )
    return chosen
