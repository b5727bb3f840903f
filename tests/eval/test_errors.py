"""The chain of the questions: D1 (a clue), its gene G1, the other disease D2 with that gene."""

import pytest

from medr_jax.eval import errors, metrics, tables
from medr_jax.eval.errors import Failure
from medr_jax.types import Status, Turn


def clue(world):
    return world.search("tall stature", "D3", "D1")


CASES = {
    "cut off": (Failure.OUT_OF_BUDGET, lambda w: [clue(w)]),
    "an earlier entity answered": (
        Failure.WRONG_HOP,
        lambda w: [clue(w), w.search("FBN1", "G1"), w.answer("Marfan syndrome")],
    ),
    "followed a disease off the chain": (
        Failure.WRONG_HOP,
        lambda w: [
            w.search("tall stature", "D3", "D1"),
            w.search("Loeys-Dietz syndrome", "D3"),
            w.answer("TGFBR1"),
        ],
    ),
    "found by its name, then another one followed": (
        Failure.WRONG_HOP,
        lambda w: [
            w.search("Marfan syndrome", "D3", "D1"),  # named before it was found, not after
            w.search("Loeys-Dietz syndrome", "D3"),
            w.answer("TGFBR1"),
        ],
    ),
    "the answer was there, what was said was not": (
        Failure.NOT_USED,
        lambda w: [clue(w), w.search("FBN1", "G1"), w.answer("stiff skim syndrome")],
    ),
    "another one that was shown": (
        Failure.WRONG_END,
        lambda w: [clue(w), w.search("FBN1", "G1", "D3"), w.answer("Loeys-Dietz syndrome")],
    ),
    "a query about something else": (
        Failure.BAD_QUERY,
        lambda w: [w.search("short stature", "D3"), w.answer("Loeys-Dietz syndrome")],
    ),
    "the clue was asked for, nothing came": (
        Failure.NOT_RETRIEVED,
        lambda w: [w.search("tall stature"), w.answer("Loeys-Dietz syndrome")],
    ),
    "the gene was asked for, its page did not come": (
        Failure.NOT_RETRIEVED,
        lambda w: [clue(w), w.search("FBN1 diseases", "D3"), w.answer("unknown")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_class_by_its_rule(world, case):
    wanted, turns = CASES[case]
    status = Status.TRUNCATED if wanted is Failure.OUT_OF_BUDGET else Status.OK
    rollout = world.trajectory(*turns(world), status=status)
    assert errors.classify(rollout, world.names) is wanted


def test_nothing_parsed_is_malformed(world):
    turn = Turn(status=Status.MODEL_ERROR, error="no tag")
    rollout = world.trajectory(turn, status=Status.MODEL_ERROR)
    assert errors.classify(rollout, world.names) is Failure.MALFORMED


def test_right_answers_and_our_own_failures_have_no_class_and_groups_count_the_rest(world):
    rollouts = [
        world.trajectory(clue(world), world.search("FBN1", "G1"), world.answer("MFS1")),
        world.trajectory(clue(world), status=Status.INFRA_ERROR),
        world.trajectory(
            clue(world), world.search("FBN1", "G1"), world.answer("Stiff skin syndrome", "G1")
        ),
    ]
    results = [
        metrics.grade("model", one, names=world.names, document_text=world.document_text)
        for one in rollouts
    ]
    assert [one.failure for one in results] == ["wrong hop", "", ""]
    assert results[2].words_written == 6  # queries of 2 and 1 words, an answer of 3
    summary = metrics.summarize("model", results)
    assert summary.failures["hops=3"] == {"wrong hop": 1}
    assert {"tool=search", "form=forward_chain"} <= summary.groups.keys()
    table = tables.failures_table(summary, "hops", "Wrong answers")
    everything, three_hops = table.rows
    cell = everything.cells[table.columns.index("wrong hop")]
    assert (cell.value, cell.n) == (0.5, 2)  # the infra failure is not counted
    assert (everything.label, three_hops.label) == ("all", "3 hops")
