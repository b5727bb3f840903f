"""How a clue is said: by name, by an exact synonym, its definition, or its neighbourhood."""

import random
import re

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.text import mentions_any, words
from medr_jax.types import Kind

_SENTENCE_END = re.compile(r"(?<=[a-z)\]]{2})\.\s+(?=[A-Z(\[])")
_ABOUT_THE_TERM = ("http", "this term", "see also", "hpo", "synonym", "note:", "e.g", "i.e")
_MIN_DEFINITION_WORDS = 4


class Obfuscator:
    """Texts that stand for a phenotype, by level."""

    def __init__(self, graph: KnowledgeGraph, *, max_definition_words: int) -> None:
        self.graph = graph
        self.max_definition_words = max_definition_words
        self._uses: dict[tuple[str, ...], int] = {}
        for term_id in graph.entity_ids(Kind.PHENOTYPE):
            key = words(first_sentence(graph.entity(term_id).definition))
            self._uses[key] = self._uses.get(key, 0) + 1

    def definition(self, term_id: str) -> str:
        """First sentence of the definition without its full stop, or "" when it will not do.

        It will not do when it is too long, names the term, is shared with another term or
        speaks about the vocabulary itself.
        """
        entity = self.graph.entity(term_id)
        text = first_sentence(entity.definition)
        key = words(text)
        lowered = text.casefold()
        if (
            not _MIN_DEFINITION_WORDS <= len(text.split()) <= self.max_definition_words
            or self._uses[key] > 1
            or any(mark in lowered for mark in _ABOUT_THE_TERM)
            or mentions_any(text, (entity.name, *entity.synonyms))
        ):
            return ""
        return text

    def texts(self, term_id: str, level: str) -> tuple[str, ...]:
        """All texts of one level; a term may have none."""
        entity = self.graph.entity(term_id)
        if level == "name":
            return (_plain_quotes(entity.name),)
        if level == "synonym":
            return tuple(map(_plain_quotes, entity.synonyms))
        if level == "neighbourhood":
            return self.neighbourhoods(term_id)
        definition = self.definition(term_id)
        return (definition,) if definition else ()

    def neighbourhoods(self, term_id: str) -> tuple[str, ...]:
        """What only this term is: a kind of one term that has another as a kind of itself.

        Neither of the two may name it.
        """
        own = (self.graph.entity(term_id).name, *self.graph.entity(term_id).synonyms)
        found = []
        for above in self.graph.parents(term_id):
            for below in self.graph.children(term_id):
                between = set(self.graph.children(above)) & set(self.graph.parents(below))
                names = [_plain_quotes(self.graph.entity(one).name) for one in (above, below)]
                if between == {term_id} and not mentions_any(" | ".join(names), own):
                    found.append("a kind of '{}' that includes '{}'".format(*names))
        return tuple(found)

    def say(self, term_id: str, weights: dict[str, float], rng: random.Random) -> tuple[str, str]:
        """(level, text) drawn by the levels' weights among those that the term has."""
        left = {level: weight for level, weight in sorted(weights.items()) if weight > 0}
        while left:
            (level,) = rng.choices(list(left), weights=list(left.values()))
            texts = self.texts(term_id, level)
            if texts:
                return level, rng.choice(texts)
            del left[level]
        return "name", self.texts(term_id, "name")[0]


def first_sentence(definition: str) -> str:
    """The first sentence on one line, without a full stop, inner quotes made single."""
    text = _plain_quotes(" ".join(definition.split()))
    return _SENTENCE_END.split(text, maxsplit=1)[0].rstrip(". ")


def _plain_quotes(text: str) -> str:
    return text.replace('"', "'")
