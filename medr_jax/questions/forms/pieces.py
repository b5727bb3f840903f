"""What all the other forms share: attribution, and the finished record."""

import random
from collections.abc import Mapping, Sequence

import msgspec

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.compose import join
from medr_jax.questions.forms.answers import said, spellings
from medr_jax.questions.make import identity
from medr_jax.questions.relations import ATTRIBUTIONS
from medr_jax.types import Chain, Kind, Question


def quoted(graph: KnowledgeGraph, entity_id: str) -> str:
    """An entity's name in quotes, quotes inside made single."""
    name = graph.entity(entity_id).name.replace('"', "'")
    return f'"{name}"'


def attributed(graph: KnowledgeGraph, parts: Sequence[str], rng: random.Random) -> list[str]:
    """The sentences, the first one with the sources that it speaks of."""
    source = f"the records of {join(graph.snapshot.split('; '))}"
    opening = rng.choice(ATTRIBUTIONS).format(source=source)
    first, *rest = parts
    return [opening + first, *(part[:1].upper() + part[1:] for part in rest)]


def finished(
    *,
    graph: KnowledgeGraph,
    form: str,
    chain: Chain,
    parts: Sequence[str],
    answers: Sequence[str],
    answer_kind: Kind,
    split: str,
    proof: Mapping[str, int | str | list[int]],
    specialties: tuple[str, ...] = (),
) -> Question:
    """The question whose answers are those entities; of none, its answer is ""."""
    entities = [graph.entity(one) for one in answers]
    several = len(entities) > 1
    accepted = spellings(entities[0]) if len(entities) == 1 else ()
    return Question(
        question_id=identity(chain),
        text=" ".join(parts),
        chain=chain,
        num_hops=len(chain.hops) + bool(chain.clues),
        answer="; ".join(map(said, entities)),
        answer_id=entities[0].id if entities else "",
        answer_kind=answer_kind,
        answer_aliases=accepted[1:],
        specialties=specialties,
        split=split,
        form=form,
        snapshot=graph.snapshot,
        proof=dict(proof),
        answer_set=(
            tuple((one.id, *spellings(one)) for one in entities) if several else msgspec.UNSET
        ),
    )
