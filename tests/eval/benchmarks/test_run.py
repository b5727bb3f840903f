from medr_jax.eval.benchmarks import mirage, pubmedqa, registry, run
from medr_jax.eval.benchmarks.base import BenchmarkItem
from medr_jax.grading.grade import Grade
from medr_jax.types import Answer, Status, Trajectory, Turn

CHOICE = BenchmarkItem(
    item_id="1", question="Which drug?", gold="B", options=("Metformin", "Insulin"), kind="choice"
)
ABSTRACT = BenchmarkItem(
    item_id="2", question="Does it?", gold="yes", context=("One.", "Two."), kind="yes_no"
)


def rollout(item, text=None, status=Status.OK):
    answer = Answer(text=text, citations=()) if text is not None else None
    return Trajectory(
        trajectory_id="t",
        question=run.as_question(item),
        turns=(Turn(answer=answer),),
        status=status,
    )


def test_a_question_shows_options_and_passages_and_no_gold_answer():
    asked = run.as_question(CHOICE)
    assert asked.text.splitlines()[:3] == ["Which drug?", "A. Metformin", "B. Insulin"]
    assert asked.answer == "" and asked.answer_id == ""
    assert run.as_question(ABSTRACT).text.startswith("One.\nTwo.\nDoes it?\nAnswer yes, no")
    assert "One." not in run.as_question(ABSTRACT, passages=False).text


def test_no_answer_is_wrong_and_a_failure_is_nothing():
    benchmark = registry.get("medqa")
    right = run.graded(benchmark, CHOICE, rollout(CHOICE, "B"))
    silent = run.graded(benchmark, CHOICE, rollout(CHOICE, None, Status.TRUNCATED))
    failed = run.graded(benchmark, CHOICE, rollout(CHOICE, None, Status.INFRA_ERROR))
    unjudged = run.BenchmarkResult(
        item_id="4", groups={}, status=Status.OK, num_calls=0,
        grade=Grade(correct=False, rule="judge", status=Status.INFRA_ERROR),
    )  # fmt: skip
    assert (right.grade.correct, silent.grade.correct) == (True, False)
    found = run.summarize(
        "m", benchmark, [right, silent, failed, unjudged], golds=["B", "B", "A", "C"],
        version="v", subset="all",
    )  # fmt: skip
    # one right of two; with failures as wrong answers it would be one of four
    assert (found.accuracy["all"].value, found.accuracy["all"].n) == (0.5, 2)
    assert (found.num_questions, found.num_infra_failed) == (4, 2)
    assert found.majority.value == 0.5  # two of four say "B"


def test_a_sample_ignores_the_order_of_the_file():
    items = [BenchmarkItem(item_id=str(n), question="?", gold="x") for n in range(30)]
    first = [item.item_id for item in run.sample(items, 5, seed=0)]
    assert first == [item.item_id for item in run.sample(items[::-1], 5, seed=0)]
    assert first != [item.item_id for item in run.sample(items, 5, seed=1)]
    assert run.sample(items, 0, seed=0) == items


def test_who_may_be_judged():
    judged = {name for name, one in registry.BENCHMARKS.items() if one.judged}
    assert judged == {"medbrowsecomp", "xbench_deepsearch"}
    assert mirage.BENCHMARKS and pubmedqa.BENCHMARK.judged is None
