"""Each reward term by hand, what gates it, and what abstaining is worth."""

import numpy as np
import pytest

from medr_jax.rl import rewards
from medr_jax.rl.rewards import RewardConfig, Scorer
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

NAMES = {"D1": ("Marfan syndrome",), "G1": ("FBN1",), "D2": ("Stiff skin syndrome",)}
TEXTS = {
    "D1": "Marfan syndrome. Associated genes: FBN1.",
    "G1": "FBN1. Associated diseases: Marfan syndrome; Stiff skin syndrome.",
    "D2": "Stiff skin syndrome. Associated genes: FBN1.",
}
QUESTION = Question(
    question_id="q",
    text="Which other disease?",
    chain=Chain(
        clues=(Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="tall stature"),),
        hops=(
            Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id="G1"),
            Hop(relation=Relation.ASSOCIATED_GENE, source_id="G1", target_id="D2", inverse=True),
        ),
        seed_id="D1",
    ),
    num_hops=3,
    answer="Stiff skin syndrome",
    answer_id="D2",
    answer_kind=Kind.DISEASE,
)


def search(*doc_ids, status=Status.OK):
    hits = tuple(
        Hit(doc_id=doc_id, title=NAMES[doc_id][0], snippet=TEXTS[doc_id]) for doc_id in doc_ids
    )
    return Turn(
        calls=(ToolCall(name="search", arguments={"query": "x"}),),
        results=(ToolResult(status=status, hits=hits),),
    )


def trajectory(*turns, question=QUESTION, status=Status.OK):
    return Trajectory(trajectory_id="t", question=question, turns=turns, status=status)


def answer(text, *citations):
    return Turn(answer=Answer(text=text, citations=citations))


def score(rollout, num_tokens=60, **config):
    return Scorer(RewardConfig(**config), NAMES.__getitem__, lambda doc_id: TEXTS.get(doc_id, ""))(
        rollout, num_tokens
    )


RIGHT = trajectory(search("D1"), search("G1"), answer("stiff skin syndrome", "G1", "D1"))


def test_terms_of_a_right_and_supported_answer():
    terms = score(RIGHT)
    # One of two citations states the answer; the chain D1, G1 (named by D1), D2 (by G1) is found.
    assert terms.right and terms.task == 1.0
    assert terms.expert == pytest.approx((0.5 + 1.0) / 2)
    # 2 calls and 60 tokens, where a chain of three is worth 3 and 120: no bonus beyond 1.
    assert terms.efficiency == 1.0 and terms.format == 1.0 and terms.unsupported == 0.0


def test_coverage_goes_by_the_order_of_the_chain():
    # D2's document comes up before anything led to it: only what follows D1 and G1 counts.
    assert score(trajectory(search("D2"), answer("x"))).expert == 0.0
    assert score(trajectory(search("G1"), search("D1"), answer("x"))).expert == pytest.approx(1 / 3)


def test_progress_is_told_after_each_turn():
    assert score(RIGHT).progress == (2, 3, 3)
    assert score(trajectory(search("D2"), search("D1"), answer("x"))).progress == (0, 2, 2)
    assert score(trajectory()).progress == ()


def test_a_document_that_was_never_shown_supports_nothing():
    made_up = trajectory(search("D1"), answer("stiff skin syndrome", "G1"))
    assert score(made_up).unsupported == 1.0
    assert score(made_up, unsupported_task=0.25).task == 0.25
    assert score(made_up, unsupported_task=0.25).right


def test_efficiency_by_hand():
    config = RewardConfig(calls_per_entity=1.0, tokens_per_entity=40)
    # need 3 calls, 120 tokens: (3/6 + 120/240) / 2
    assert rewards.efficiency(6, 240, 3, config) == pytest.approx(0.5)
    # An answer without a single call would otherwise be the most efficient of all.
    assert rewards.efficiency(0, 5, 3, config) == 0.0


def test_malformed_and_unanswered_rollouts_have_no_format():
    broken = Turn(status=Status.MODEL_ERROR, error="no call")
    assert score(trajectory(broken, answer("x"))).format == 0.0
    assert score(trajectory(search("D1"), status=Status.TRUNCATED)).format == 0.0
    assert score(trajectory(search("D1"), status=Status.TRUNCATED)).unsupported == 0.0


def test_abstention_is_right_where_nothing_is_stated_and_wrong_elsewhere():
    unanswerable = Question(**{**_fields(QUESTION), "answer": "", "answer_id": "D2"})
    assert score(trajectory(search("D1"), answer("unknown"))).task == 0.0
    abstained = score(trajectory(search("D1"), answer("Unknown"), question=unanswerable))
    assert abstained.task == 1.0 and abstained.unsupported == 0.0
    assert score(trajectory(answer("Marfan syndrome"), question=unanswerable)).task == 0.0
    # Saying nothing at all is no abstention.
    assert score(trajectory(search("D1"), question=unanswerable)).task == 0.0


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_a_judge_is_a_third_of_the_expert_term():
    scorer = Scorer(RewardConfig(), NAMES.__getitem__, TEXTS.__getitem__, judge=lambda _: 0.6)
    assert scorer(RIGHT, 60).expert == pytest.approx((0.5 + 1.0 + 0.6) / 3)


def groups(lab, *rights):
    return [[lab.terms(right, expert=0.25 * n) for n, right in enumerate(one)] for one in rights]


def test_shaping_alone_makes_no_advantage(lab):
    marked = groups(lab, [False, False, False], [True, False, False])
    valid = np.ones((2, 3), bool)
    totals = rewards.total_rewards(marked, valid, RewardConfig())
    # alpha * task + beta * expert + gamma * efficiency, where some answer is right
    assert totals[0].tolist() == [0.0, 0.0, 0.0]
    assert totals[1] == pytest.approx([1.0 + 0.1, 0.05 + 0.1, 0.1 + 0.1])
    open_gate = rewards.total_rewards(marked, valid, RewardConfig(outcome_gate=False))
    assert open_gate[0] == pytest.approx([0.1, 0.15, 0.2])


def test_a_right_rollout_that_failed_on_our_side_opens_no_gate(lab):
    marked = groups(lab, [True, False, False])
    totals = rewards.total_rewards(marked, np.array([[False, True, True]]), RewardConfig())
    assert totals[0, 1:].tolist() == [0.0, 0.0]


def test_unsupported_claims_cost(lab):
    marked = [[lab.terms(True), lab.terms(True, unsupported=1.0)]]
    totals = rewards.total_rewards(
        marked, np.ones((1, 2), bool), RewardConfig(unsupported_penalty=0.3)
    )
    assert totals[0, 0] - totals[0, 1] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task_weight": 0.0}, "nothing would reward a right answer"),
        ({"expert_weight": -1.0}, "rl.rewards.expert_weight=-1.0"),
        ({"unsupported_task": 2.0}, "rl.rewards.unsupported_task=2.0"),
        ({"tokens_per_entity": 0}, "rl.rewards.tokens_per_entity=0"),
    ],
)
def test_config_mistakes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        RewardConfig(**change)
