import msgspec
import pytest

from medr_jax.trajectories import guidance
from medr_jax.types import (
    Answer,
    Chain,
    Clue,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    ToolCall,
    Trajectory,
    Turn,
)

QUESTION = Question(
    question_id="q1",
    text="Which other disease ...?",
    chain=Chain(
        clues=(
            Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="Wide eyes"),
            Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:2", text="Flat feet"),
        ),
        hops=(
            Hop(relation=Relation.ASSOCIATED_GENE, source_id="D:1", target_id="GENE:AB1"),
            Hop(
                relation=Relation.ASSOCIATED_GENE,
                source_id="GENE:AB1",
                target_id="D:2",
                inverse=True,
            ),
        ),
        seed_id="D:1",
    ),
    num_hops=3,
    answer="Beta syndrome",
    answer_id="D:2",
    answer_kind=Kind.DISEASE,
)


def test_the_scaffold_holds_relations_in_order_and_masks_for_everything_else():
    lines = guidance.scaffold(QUESTION).splitlines()
    assert lines[1:] == [
        "1. ([MASK], has_phenotype, [MASK])",
        "2. ([MASK], has_phenotype, [MASK])",
        "3. ([MASK], associated_gene, [MASK])",
        "4. ([MASK], associated_gene, [MASK]) from right to left",
    ]
    told = "\n".join(lines)
    for hidden in ("HP:", "D:1", "D:2", "AB1", "Wide", "feet", "Beta", "disease"):
        assert hidden not in told


def test_a_question_without_a_chain_has_no_scaffold():
    bare = msgspec.structs.replace(QUESTION, chain=Chain(clues=(), hops=(), seed_id=""))
    assert guidance.scaffold(bare) == ""


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (Turn(thought="The outline says ([MASK], has_phenotype, [mask])."), True),
        (Turn(thought="Next is associated_gene."), True),
        (Turn(calls=(ToolCall(name="search", arguments={"query": "[MASK] gene"}),)), True),
        (Turn(answer=Answer(text="[MASK]")), True),
        (
            Turn(thought="Its associated gene and the phenotype it has.", answer=Answer(text="x")),
            False,
        ),
    ],
)
def test_turns_that_speak_of_the_scaffold_are_found(turn, told):
    trajectory = Trajectory(trajectory_id="t", question=QUESTION, turns=(turn,), status=Status.OK)
    assert guidance.betrays(trajectory) is told
