"""A chain as an English question."""

import random
import re
from typing import NamedTuple

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions import relations
from medr_jax.questions.hops import FORMS
from medr_jax.types import Chain, Clue, Hop, Kind, Relation

_DATED = re.compile(r"(?P<name>.+) (?P<date>\d{4}(-\d\d){0,2})")
_MAX_NESTED = 3  # hops that one sentence can nest and still be read


class Told(NamedTuple):
    """A hop with what its sentence needs."""

    hop: Hop
    is_other: bool
    branch: str


def source_phrase(snapshot: str, *, annotated: bool = True) -> str:
    """ "HPO 2025-01-16" -> "the HPO annotations of 2025-01-16", or "... release of ..."."""
    template = relations.ANNOTATED_SOURCE if annotated else relations.ONTOLOGY_SOURCE
    phrases = []
    for one in snapshot.split("; "):
        dated = _DATED.fullmatch(one)
        name, date = (dated["name"], dated["date"]) if dated else (one, "")
        phrases.append(template.format(name=name, date=date).removesuffix(" of "))
    return join(phrases)


def start_of(chain: Chain) -> str:
    """How the chain begins: "clues", "definition" (an identity clue) or "gene"."""
    if not chain.clues:
        return "gene"
    return "definition" if chain.clues[0].relation is Relation.IS_A else "clues"


def clue_phrase(clue: Clue, level: str) -> str:
    """A clue inside a sentence: quoted, definitions introduced as such."""
    if level == "definition":
        return f'a phenotype described as "{clue.text}"'
    return clue.text if level == "neighbourhood" else f'"{clue.text}"'


def join(parts: list[str]) -> str:
    """a; a and b; a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


class Composer:
    """Says chains of one graph."""

    def __init__(self, graph: KnowledgeGraph, style_weights: dict[str, float]) -> None:
        self.graph = graph
        self.style_weights = style_weights

    def question(
        self, chain: Chain, levels: tuple[str, ...], others: tuple[bool, ...], rng: random.Random
    ) -> str:
        """The text. ``others[i]``: hop i leads to the other of two diseases."""
        start = start_of(chain)
        fields = self.start_fields(chain, levels)
        told = [
            Told(hop, other, self._branch(hop))
            for hop, other in zip(chain.hops, others, strict=True)
        ]
        style = self._style(start, len(told), rng)
        if not told:
            parts = [rng.choice(relations.START_QUESTIONS[start]).format(**fields)]
        elif style == "nested":
            parts = [_nested(start, fields, told, rng)]
        elif style == "walk":
            parts = self._walk(start, fields, told, rng)
        else:
            parts = self._steps(start, fields, told, rng)
        steps = (*chain.clues, *chain.hops)
        annotated = any(step.relation is not Relation.IS_A for step in steps)
        source = source_phrase(self.graph.snapshot, annotated=annotated)
        opening = rng.choice(relations.ATTRIBUTIONS).format(source=source)
        first, *rest = parts
        return " ".join([opening + first, *map(_capitalised, rest)])

    def _style(self, start: str, num_hops: int, rng: random.Random) -> str:
        """A style drawn by weight among those that suit the chain."""
        weights = dict(self.style_weights)
        if num_hops > _MAX_NESTED:
            weights.pop("nested", None)
        if start == "gene":
            weights.pop("steps", None)  # a named gene needs no sentence of its own
        if num_hops == 1:
            weights.pop("walk", None)  # there is nowhere to go before the question
        styles = sorted(style for style, weight in weights.items() if weight > 0)
        if not styles:
            return "walk" if start == "gene" and num_hops > 1 else "nested"
        return rng.choices(styles, weights=[weights[style] for style in styles])[0]

    def start_fields(self, chain: Chain, levels: tuple[str, ...]) -> dict[str, str]:
        """What the tables of starts are filled with."""
        if not chain.clues:
            return {"gene": self.graph.entity(chain.hops[0].source_id).name}
        # Definitions last: after 'described as "A" and "B"', B would read as a description too.
        pairs = sorted(
            zip(chain.clues, levels, strict=True), key=lambda pair: pair[1] == "definition"
        )
        phrases = [clue_phrase(*pair) for pair in pairs]
        return {"clues": join(phrases), "definition": f'"{chain.clues[0].text}"'}

    def _branch(self, hop: Hop) -> str:
        return f'"{self.graph.entity(hop.within_id).name}"' if hop.within_id else ""

    def _references(self, told: list[Told]) -> list[str]:
        """Phrases for the entities of the chain, start first: "that second disease"."""
        seen: dict[Kind, int] = {}
        phrases = []
        for entity_id in (told[0].hop.source_id, *(one.hop.target_id for one in told[:-1])):
            kind = self.graph.entity(entity_id).kind
            phrases.append(f"that {relations.ORDINALS[seen.get(kind, 0)]}{relations.NOUNS[kind]}")
            seen[kind] = seen.get(kind, 0) + 1
        return phrases

    def _steps(
        self, start: str, fields: dict[str, str], told: list[Told], rng: random.Random
    ) -> list[str]:
        parts = [rng.choice(relations.START_SENTENCES[start]).format(**fields) + "."]
        references = self._references(told)
        for it, one in zip(references, told[:-1], strict=False):
            parts.append(_fill(relations.SENTENCES, one, it, rng) + ".")
        parts.append(_fill(relations.QUESTIONS, told[-1], references[-1], rng))
        return parts

    def _walk(
        self, start: str, fields: dict[str, str], told: list[Told], rng: random.Random
    ) -> list[str]:
        references = self._references(told)
        begin = rng.choice(relations.START_NOUN_PHRASES[start]).format(**fields)
        stops = [
            _fill(relations.NOUN_PHRASES, one, it, rng)
            for it, one in zip(references, told[:-1], strict=False)
        ]
        way = ", then ".join(f"to {stop}" for stop in stops)
        question = _fill(relations.QUESTIONS, told[-1], references[-1], rng)
        return [f"start from {begin} and go {way}.", question]


def _nested(start: str, fields: dict[str, str], told: list[Told], rng: random.Random) -> str:
    it = rng.choice(relations.START_NOUN_PHRASES[start]).format(**fields)
    for one in told[:-1]:
        it = _fill(relations.NOUN_PHRASES, one, it, rng)
    return _fill(relations.QUESTIONS, told[-1], it, rng)


def _fill(table: dict, one: Told, it: str, rng: random.Random) -> str:
    form = FORMS[one.hop.relation, one.hop.inverse]
    other = "other " if one.is_other else ""
    return rng.choice(table[form]).format(it=it, other=other, branch=one.branch)


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
