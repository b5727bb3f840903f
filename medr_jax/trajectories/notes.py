"""What an agent has been shown so far in one episode."""

from collections.abc import Iterable

from medr_jax.grading import match
from medr_jax.trajectories.evidence import hit_text
from medr_jax.types import Hit, Kind, ToolResult


class Notes:
    """Texts and labels of the documents that came back."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._labels: dict[str, int] = {}
        self._read: set[str] = set()
        self._last: tuple[Hit, ...] = ()

    def __contains__(self, doc_id: object) -> bool:
        """Whether the document was among any hits."""
        return doc_id in self._labels

    def add_search(self, result: ToolResult) -> None:
        """Takes in the hits of a search."""
        self._last = result.hits
        for hit in result.hits:
            self._labels[hit.doc_id] = hit.label
            self._texts.setdefault(hit.doc_id, []).append(hit_text(hit))

    def add_read(self, doc_id: str, result: ToolResult) -> None:
        """Takes in a document that was read."""
        self._read.add(doc_id)
        parts = [result.text, *map(hit_text, result.hits)]
        self._texts.setdefault(doc_id, []).append(" ".join(parts))

    def label(self, doc_id: str) -> int:
        """The label of a document that was among hits."""
        return self._labels[doc_id]

    def was_read(self, doc_id: str) -> bool:
        """Whether the document was opened."""
        return doc_id in self._read

    def state(self, doc_id: str, names: Iterable[str]) -> bool:
        """Whether what was shown of a document holds one of the names."""
        return any(match.mentions(text, names) for text in self._texts.get(doc_id, ()))

    def lists(self, doc_id: str, one: str, then: str) -> bool:
        """Whether the newest text of a document that names both names ``one`` first."""
        for text in map(match.normalize, reversed(self._texts.get(doc_id, ()))):
            places = text.find(match.normalize(one)), text.find(match.normalize(then))
            if min(places) >= 0:
                return places[0] < places[1]
        return False

    def first_disease(self) -> str:
        """The first disease among the hits of the last search, or ""."""
        return next((hit.doc_id for hit in self._last if hit.kind == Kind.DISEASE), "")
