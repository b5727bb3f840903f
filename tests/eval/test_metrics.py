import pytest

from medr_jax.eval import metrics
from medr_jax.types import Hit, Status, ToolCall, ToolResult, Turn


def graded(world, *turns, **options):
    rollout = world.trajectory(*turns, **options)
    return metrics.grade("model", rollout, names=world.names, document_text=world.document_text)


def test_a_right_answer_with_its_evidence(world):
    result = graded(
        world,
        world.search("tall stature", "D3", "D1"),
        world.search("fbn1", "G1"),
        world.answer("stiff skin syndrome", "G1"),
    )
    assert (result.correct, result.supported) == (True, True)
    assert (result.num_citations, result.num_supporting) == (1, 1)
    assert (result.attempted_calls, result.valid_calls) == (2, 2)


@pytest.mark.parametrize(
    "citations",
    [
        (),
        ("D1",),  # shown, but states an earlier hop
        ("D2",),  # states the answer, but was never shown
        ("D3",),  # shown and about something else
    ],
)
def test_right_without_evidence_is_not_supported(world, citations):
    result = graded(
        world,
        world.search("tall stature", "D3", "D1"),
        world.search("fbn1", "G1"),
        world.answer("Stiff skin syndrome", *citations),
    )
    assert (result.correct, result.supported) == (True, False)


def test_evidence_does_not_make_a_wrong_answer_right(world):
    result = graded(world, world.search("fbn1", "G1"), world.answer("Marfan syndrome", "G1", "G1"))
    assert (result.correct, result.supported) == (False, False)
    assert (result.num_citations, result.num_supporting) == (1, 1)


def test_no_answer_is_wrong(world):
    result = graded(world, world.search("x", "D1"), status=Status.TRUNCATED)
    assert (result.correct, result.supported) == (False, False)


def test_malformed_completions_count_as_attempts(world):
    refused = Turn(
        calls=(ToolCall(name="fetch", arguments={}),),
        results=(ToolResult(status=Status.TOOL_ERROR, text="no such tool"),),
    )
    malformed = Turn(
        status=Status.MODEL_ERROR,
        error="no call and no answer",
        # what the loop tells the model; not a second attempt
        results=(ToolResult(status=Status.MODEL_ERROR, text="no call and no answer"),),
    )
    timed_out = world.search("slow", status=Status.TIMEOUT)
    turns = (world.search("a", "D1"), refused, malformed, timed_out, world.answer("x"))
    # 1 good of 3: the refused call, the malformed turn; our own timeout is left out.
    # Counting calls alone would give 1 of 2, counting the timeout 1 of 4.
    assert metrics.count_calls(turns) == (3, 1)


def test_a_turn_cut_short_is_an_attempt(world):
    assert metrics.count_calls([Turn(status=Status.TRUNCATED)]) == (1, 0)
    assert metrics.count_calls([Turn(status=Status.INFRA_ERROR)]) == (0, 0)
    assert metrics.count_calls([world.answer("x")]) == (0, 0)


def test_queries_hit_the_chains_entities_in_order(world):
    rollout = world.trajectory(
        world.search("tall", "D3"),  # nothing of the chain
        world.search("tall stature", "D1"),  # D1, whose snippet names FBN1: two found at once
        world.search("fbn1", "D1"),  # found before: not the next one
        world.search("fbn1 diseases", "G1"),  # the gene's document names D2
        world.search("again", "D3"),  # everything found: not counted
        world.answer("Stiff skin syndrome"),
    )
    assert metrics.count_next_entity(rollout, world.names) == (4, 2)


def test_a_mention_in_another_document_is_no_find(world):
    bare = Hit(doc_id="D1", title="Marfan syndrome", snippet="")
    first = Turn(
        calls=(ToolCall(name="search", arguments={"query": "tall"}),),
        results=(ToolResult(status=Status.OK, hits=(bare,)),),
    )
    # D2 names FBN1, the next entity, but D2 is not the entity before it
    rollout = world.trajectory(first, world.search("x", "D2"), question=world.question(num_hops=2))
    assert metrics.count_next_entity(rollout, world.names) == (2, 1)


def test_reading_finds_but_is_no_query(world):
    read = world.search("x", "D1")
    read = Turn(calls=(ToolCall(name="read", arguments={"doc_id": "D1"}),), results=read.results)
    rollout = world.trajectory(read, world.search("fbn1", "G1"))
    assert metrics.count_next_entity(rollout, world.names) == (1, 1)


def test_infra_failures_leave_every_denominator(world):
    good = graded(world, world.answer("Stiff skin syndrome"))
    bad = graded(world, world.answer("FBN1"))
    failed = graded(world, status=Status.INFRA_ERROR)
    summary = metrics.summarize("model", [good, bad, failed])
    cell = summary.groups["all"]["exact_match"]
    assert (cell.value, cell.n) == (0.5, 2)  # 1/3 when the failure is scored as wrong
    assert (summary.num_questions, summary.num_infra_failed) == (3, 1)
    assert summary.statuses == {"infra_error": 1, "ok": 2}


def test_groups_count_a_question_in_each_of_its_specialties(world):
    asked = world.question(num_hops=2, specialties=("eye", "heart"))
    result = graded(world, world.answer("FBN1"), question=asked)
    summary = metrics.summarize("model", [result])
    assert set(summary.groups) == {
        "all",
        "open",
        "hops=2",
        "answer=gene",
        "specialty=eye",
        "specialty=heart",
        "tool=none",
        "form=forward_chain",
    }


def test_no_results_at_all_give_empty_cells():
    summary = metrics.summarize("model", [])
    assert summary.groups["all"]["exact_match"].value is None
