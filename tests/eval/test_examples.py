import pytest

from medr_jax.eval import examples, metrics
from medr_jax.types import Status, Turn


def result(world, index, hops, right):
    asked = world.question(f"q{index}", num_hops=hops)
    rollout = world.trajectory(
        world.search("fbn1", "G1", "D3"),
        world.answer(asked.answer if right else "wrong", "G1"),
        question=asked,
    )
    return metrics.grade("model", rollout, names=world.names, document_text=world.document_text)


def test_failures_are_always_among_the_examples(world):
    results = [result(world, i, 1 + i % 3, right=i % 10 > 0) for i in range(40)]
    chosen = examples.choose(results)
    assert [item.correct for item in chosen] == [True, True, True, False, False]
    assert [item.question.num_hops for item in chosen[:3]] == [3, 2, 1]


@pytest.mark.parametrize(
    ("num_right", "num_wrong"), [(5, 0), (0, 5), (1, 4), (4, 1), (1, 1), (0, 0)]
)
def test_one_sort_fills_in_for_the_other(world, num_right, num_wrong):
    results = [
        result(world, i, 1 + i % 3, right=i < num_right) for i in range(num_right + num_wrong)
    ]
    assert len(examples.choose(results)) == num_right + num_wrong


def test_the_choice_does_not_depend_on_the_order(world):
    results = [result(world, i, 1 + i % 3, right=i % 4 > 0) for i in range(20)]
    assert examples.choose(results) == examples.choose(results[::-1])


def test_a_view_marks_chain_and_citations(world):
    view = examples.rollout_view(result(world, 0, 3, right=True))
    gene, distractor = view.turns[0].calls[0].hits
    assert list(gene.marks) == ["on the chain", "cited"]
    assert list(distractor.marks) == []
    assert view.citations == ["[1] FBN1 (G1)"]
    assert view.right and view.verdict == "right, and a cited document states it"


def test_a_rollout_without_answer_says_why(world):
    rollout = world.trajectory(
        world.search("x", "D3"),
        Turn(status=Status.MODEL_ERROR, error="<cite> after <think>"),
        status=Status.MODEL_ERROR,
    )
    graded = metrics.grade("model", rollout, names=world.names, document_text=world.document_text)
    view = examples.rollout_view(graded)
    assert (view.verdict, view.answer, view.right) == ("malformed output", "", False)
    assert view.turns[-1].error == "<cite> after <think>"
