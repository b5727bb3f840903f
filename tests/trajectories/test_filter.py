import msgspec
import pytest

from medr_jax.trajectories import filter as filters
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
    "MONDO:1": ("Alpha syndrome", "Alpha disease"),
    "GENE:AB1": ("AB1",),
    "MONDO:2": ("Beta syndrome",),
}


def names(entity_id):
    return NAMES[entity_id]


def question(**changes) -> Question:
    clue = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="wide eyes")
    hop = Hop(relation=Relation.ASSOCIATED_GENE, source_id="MONDO:1", target_id="GENE:AB1")
    fields = {
        "question_id": "q1",
        "text": "Which gene is associated with the disease that shows wide eyes and flat feet?",
        "chain": Chain(clues=(clue,), hops=(hop,), seed_id="MONDO:1"),
        "num_hops": 2,
        "answer": "AB1",
        "answer_id": "GENE:AB1",
        "answer_kind": Kind.GENE,
    }
    return Question(**fields | changes)


def search(query, *hits, call_id):
    call = ToolCall(name="search", arguments={"query": query}, call_id=call_id)
    shown = tuple(
        Hit(doc_id=doc_id, title=NAMES[doc_id][0], snippet=snippet, label=number)
        for number, (doc_id, snippet) in enumerate(hits, start=1)
    )
    result = ToolResult(status=Status.OK, hits=shown, call_id=call_id)
    return Turn(thought="search", calls=(call,), results=(result,))


def answer(text, *citations):
    return Turn(thought="done", answer=Answer(text=text, citations=citations))


FIND = search("wide eyes", ("MONDO:1", "Eyes: Wide eyes."), call_id="1")
GENE = search("alpha syndrome associated genes", ("MONDO:1", "Associated genes: AB1."), call_id="2")
GOOD = (FIND, GENE, answer("AB1", "MONDO:1"))


def reason(*turns, max_words=200, status=Status.OK, asked=None):
    trajectory = Trajectory(
        trajectory_id="t", question=asked or question(), turns=turns, status=status
    )
    return filters.reason_against(trajectory, names=names, max_words=max_words)


def changed_call(turn, **changes):
    call = msgspec.structs.replace(turn.calls[0], **changes)
    return msgspec.structs.replace(turn, calls=(call,))


def changed_result(turn, **changes):
    result = msgspec.structs.replace(turn.results[0], **changes)
    return msgspec.structs.replace(turn, results=(result,))


def test_a_sound_trajectory_is_kept():
    assert reason(*GOOD) is None
    assert reason(FIND, GENE, answer("ab1", "MONDO:1")) is None  # case does not matter


@pytest.mark.parametrize(
    "turns",
    [
        (),
        (changed_call(FIND, arguments={"query": "  "}), GENE, GOOD[2]),
        (changed_call(FIND, arguments={}), GENE, GOOD[2]),
        (changed_call(FIND, name=""), GENE, GOOD[2]),
        (FIND, Turn(thought="neither a call nor an answer"), GOOD[2]),
        (FIND, msgspec.structs.replace(GENE, error="no closing brace"), GOOD[2]),
    ],
)
def test_malformed_calls(turns):
    assert reason(*turns) is filters.Reason.MALFORMED_CALL


@pytest.mark.parametrize(
    "turn",
    [
        msgspec.structs.replace(GENE, results=()),
        changed_result(GENE, call_id="9"),
        changed_result(GENE, hits=(), text=""),  # a failure shown as an empty string
    ],
)
def test_every_call_has_its_result(turn):
    assert reason(FIND, turn, GOOD[2]) is filters.Reason.CALL_RESULT_MISMATCH


def test_our_own_failures_are_not_blamed_on_the_policy():
    broken = changed_result(GENE, status=Status.TIMEOUT, text="timed out", hits=())
    assert reason(FIND, broken, GOOD[2]) is filters.Reason.FAILED_CALL


def test_answers():
    assert reason(FIND, GENE) is filters.Reason.NO_ANSWER
    assert reason(*GOOD, status=Status.TRUNCATED) is filters.Reason.NO_ANSWER
    # "AB1" within "AB11" is another gene; a substring rule would accept it.
    assert reason(FIND, GENE, answer("AB11", "MONDO:1")) is filters.Reason.WRONG_ANSWER


def test_support_must_be_seen_and_cited():
    unsupported = filters.Reason.UNSUPPORTED_ANSWER
    assert reason(FIND, GENE, answer("AB1")) is unsupported
    assert reason(FIND, GENE, answer("AB1", "GENE:AB1")) is unsupported  # never shown
    # The cited document was shown, but not the part that states the gene.
    assert reason(FIND, answer("AB1", "MONDO:1")) is unsupported
    other = search("alpha gene", ("MONDO:2", "Associated genes: AB1."), call_id="2")
    assert reason(FIND, other, answer("AB1", "MONDO:2")) is unsupported  # another disease's page


def test_a_document_that_was_read_supports():
    call = ToolCall(name="read", arguments={"doc_id": "1"}, call_id="2")
    text = ToolResult(status=Status.OK, text="Alpha syndrome. Associated genes: AB1.", call_id="2")
    assert reason(FIND, Turn(calls=(call,), results=(text,)), GOOD[2]) is None


def test_a_repeated_call_is_a_loop():
    again = changed_call(FIND, call_id="7")
    again = changed_result(again, call_id="7")
    assert reason(FIND, again, GENE, GOOD[2]) is filters.Reason.LOOP


def test_length_counts_all_text():
    # question 14, thoughts 1 + 1 + 1, queries 2 + 4, hits 6 + 6, answer 1
    words = filters.num_words(
        Trajectory(trajectory_id="t", question=question(), turns=GOOD, status=Status.OK)
    )
    assert words == 36
    assert reason(*GOOD, max_words=36) is None
    assert reason(*GOOD, max_words=35) is filters.Reason.TOO_LONG


def test_near_duplicates():
    seen = filters.NearDuplicates(threshold=0.8)
    assert not seen.add(question())
    assert seen.add(question(text=question().text.upper()))
    # 9 shared of 10 + 1 + 1 = 0.75 < 0.8
    other = "Which gene is associated with the disease that shows large ears?"
    assert not seen.add(question(text=other))
    assert not seen.add(question(answer_id="GENE:AB2"))  # another answer is another question
