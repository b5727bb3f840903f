"""A small world: a disease with a gene, another disease with that gene, and rollouts in it."""

import pytest

from medr_jax.types import (
    Answer,
    Chain,
    Clue,
    Hit,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

NAMES = {
    "D1": ("Marfan syndrome", "MFS1"),
    "G1": ("FBN1",),
    "D2": ("Stiff skin syndrome",),
    "D3": ("Loeys-Dietz syndrome",),
    "HP:1": ("Tall stature",),
}
KINDS = {"D1": Kind.DISEASE, "D2": Kind.DISEASE, "D3": Kind.DISEASE, "G1": Kind.GENE}
TEXTS = {
    "D1": "Marfan syndrome. Associated genes: FBN1.",
    "G1": "FBN1. Associated diseases: Marfan syndrome; Stiff skin syndrome.",
    "D2": "Stiff skin syndrome. Associated genes: FBN1.",
    "D3": "Loeys-Dietz syndrome. Associated genes: TGFBR1.",
}


def names(entity_id):
    return NAMES[entity_id]


def document_text(doc_id):
    return TEXTS.get(doc_id, "")


def make_question(
    question_id="q1",
    num_hops=3,
    specialties=("connective tissue",),
    split="test",
    text="Which other disease?",
):
    hops = (
        Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id="G1"),
        Hop(relation=Relation.ASSOCIATED_GENE, source_id="G1", target_id="D2", inverse=True),
    )[: num_hops - 1]
    answer_id = hops[-1].target_id if hops else "D1"
    return Question(
        question_id=question_id,
        text=text,
        chain=Chain(
            clues=(Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="tall stature"),),
            hops=hops,
            seed_id="D1",
        ),
        num_hops=num_hops,
        answer=NAMES[answer_id][0],
        answer_id=answer_id,
        answer_kind=KINDS[answer_id],
        specialties=specialties,
        split=split,
        snapshot="HPO 2025-01-16",
    )


def hit(doc_id, label=0):
    title, _, snippet = TEXTS[doc_id].partition(". ")
    return Hit(doc_id=doc_id, title=title, snippet=snippet, kind=str(KINDS[doc_id]), label=label)


def search(query, *doc_ids, status=Status.OK, thought="", first_label=1):
    hits = tuple(hit(doc_id, first_label + index) for index, doc_id in enumerate(doc_ids))
    return Turn(
        thought=thought,
        calls=(ToolCall(name="search", arguments={"query": query}),),
        results=(ToolResult(status=status, hits=hits, text="" if hits else "no results"),),
    )


def answer(text, *citations):
    return Turn(answer=Answer(text=text, citations=citations))


def trajectory(*turns, question=None, status=Status.OK, trajectory_id="t1"):
    return Trajectory(
        trajectory_id=trajectory_id,
        question=question or make_question(),
        turns=turns,
        status=status,
        policy="model",
    )


class World:
    names = staticmethod(names)
    document_text = staticmethod(document_text)
    question = staticmethod(make_question)
    search = staticmethod(search)
    answer = staticmethod(answer)
    trajectory = staticmethod(trajectory)
    kind_of = staticmethod(lambda entity_id: KINDS.get(entity_id, Kind.PHENOTYPE))


@pytest.fixture
def world():
    return World
