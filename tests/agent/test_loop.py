"""The loop's rules: labels, citations, limits, malformed completions, failures."""

import msgspec
import pytest

from medr_jax.agent.drivers import run_sequential, run_slots
from medr_jax.agent.loop import AgentLimits, CallTools, NextTurn, text_episode, token_episode
from medr_jax.testing.tokens import ScriptedEngine, byte_tokenizer, completion_ids, make_question
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.types import Hit, Status, ToolCall, ToolResult

TOKENIZER = byte_tokenizer()
COMPACT = get_protocol("compact")


def search(query: str) -> ToolCall:
    return ToolCall(name="search", arguments={"query": query})


def read(doc_id: str) -> ToolCall:
    return ToolCall(name="read", arguments={"doc_id": doc_id})


def answer(text: str = "fbn 1", *labels: int) -> ParsedTurn:
    return ParsedTurn(answer_text=text, cited_labels=labels)


class Library:
    """Each word of a query is the id of a document; keeps the calls that it got."""

    def __init__(self):
        self.calls = []

    def call_many(self, calls):
        self.calls += calls
        return [self._call(call) for call in calls]

    def _call(self, call):
        if call.name == "read":
            return ToolResult(status=Status.OK, text=f"page {call.arguments['doc_id']}")
        words = call.arguments["query"].split()
        if "broken" in words:
            return ToolResult(status=Status.INFRA_ERROR, text="index unreachable")
        if "slow" in words:
            return ToolResult(status=Status.TIMEOUT, text="took longer than 1 s")
        return ToolResult(
            status=Status.OK,
            hits=tuple(Hit(doc_id=word, title=word) for word in words),
            call_id=call.call_id,
        )


def play(*turns: ParsedTurn, limits: AgentLimits | None = None, tools: Library | None = None):
    return run_sequential(
        text_episode(make_question(), limits or AgentLimits()),
        lambda request: turns[len(request.turns)],
        tools or Library(),
    )


def play_tokens(*turns, limits: AgentLimits | None = None, tools: Library | None = None):
    """Turns, or raw ids of a completion, or None for a failure of the engine."""
    scripts = [
        completion_ids(turn, TOKENIZER, "compact") if isinstance(turn, ParsedTurn) else turn
        for turn in turns
    ]
    engine = ScriptedEngine(lambda rollout_id, turn: scripts[turn])
    limits = limits or AgentLimits(max_completion_tokens=200, max_total_tokens=2000)
    episode = token_episode(make_question(), TOKENIZER, COMPACT, limits)
    return run_slots([episode], engine, tools or Library())[0]


BOTH = pytest.mark.parametrize(
    "run", [play, lambda *turns: play_tokens(*turns).trajectory], ids=["text", "tokens"]
)


@BOTH
def test_labels_count_over_the_trajectory_and_a_document_keeps_its_first(run):
    trajectory = run(
        ParsedTurn(calls=(search("a b"), search("b c"))),
        ParsedTurn(calls=(search("c a d"),)),
        answer("x", 3, 4),
    )
    labels = [
        [(hit.doc_id, hit.label) for hit in result.hits]
        for turn in trajectory.turns
        for result in turn.results
    ]
    # Counted per turn, the third list would start at 1 again.
    assert labels == [[("a", 1), ("b", 2)], [("b", 2), ("c", 3)], [("c", 3), ("a", 1), ("d", 4)]]
    assert trajectory.answer.citations == ("c", "d")
    assert trajectory.status == Status.OK
    assert [call.call_id for turn in trajectory.turns for call in turn.calls] == [
        "0.0",
        "0.1",
        "1.0",
    ]


@BOTH
def test_unknown_labels_are_dropped_and_noted(run):
    trajectory = run(ParsedTurn(calls=(search("a"),)), answer("x", 7, 1, 1))
    assert trajectory.answer.citations == ("a",)
    assert "[7]" in trajectory.turns[-1].error
    assert trajectory.turns[-1].status == Status.OK


@pytest.mark.parametrize("named", ["2", "b"])
def test_read_takes_a_label_and_keeps_it(named):
    library = Library()
    trajectory = play(
        ParsedTurn(calls=(search("a b"),)),
        ParsedTurn(calls=(read(named), read("9"))),
        answer(),
        tools=library,
    )
    # The tool gets the document; the record has what a model can know: the label.
    assert [call.arguments["doc_id"] for call in library.calls[1:]] == ["b", "9"]
    assert [call.arguments["doc_id"] for call in trajectory.turns[1].calls] == ["2", "9"]


@BOTH
def test_all_calls_of_a_turn_run_in_order(run):
    trajectory = run(ParsedTurn(calls=(search("a"), search("slow"), search("c"))), answer())
    statuses = [result.status for result in trajectory.turns[0].results]
    assert statuses == [Status.OK, Status.TIMEOUT, Status.OK]
    assert trajectory.num_tool_calls == 3
    assert trajectory.status == Status.OK


@BOTH
def test_our_failure_marks_the_whole_trajectory(run):
    trajectory = run(ParsedTurn(calls=(search("broken"),)), answer("right"))
    assert trajectory.answer.text == "right"
    assert trajectory.status == Status.INFRA_ERROR


def test_malformed_turns_run_nothing_and_the_model_is_told():
    library = Library()
    both = ParsedTurn(thought="t", calls=(search("a"),), answer_text="x")
    trajectory = play(both, answer(), tools=library)
    first = trajectory.turns[0]
    assert library.calls == [] and first.calls == ()
    assert first.status == Status.MODEL_ERROR and "not both" in first.error
    assert [(r.status, r.text) for r in first.results] == [(Status.MODEL_ERROR, first.error)]
    assert trajectory.status == Status.OK
    twice = play(both, both)
    assert twice.status == Status.MODEL_ERROR and len(twice.turns) == 2
    assert twice.turns[1].results == () and twice.answer is None


def test_malformed_ids_stay_in_the_ledger_and_the_error_follows():
    garbage = [*TOKENIZER.encode("hello"), TOKENIZER.control("<|end|>")]
    episode = play_tokens(garbage, answer())
    shown = TOKENIZER.decode(episode.ledger.token_ids)
    assert "hello<|end|><|tool|> error : text before the first control token<|assistant|>" in shown
    assert episode.ledger.loss_mask.sum() == len(garbage) + len(
        completion_ids(answer(), TOKENIZER, "compact")
    )
    assert episode.trajectory.status == Status.OK


@BOTH
def test_too_many_calls_in_a_turn(run):
    trajectory = run(ParsedTurn(calls=(search("a"),) * 9), answer())
    assert "at most 8 tool calls" in trajectory.turns[0].error


def test_out_of_turns():
    turn = ParsedTurn(calls=(search("a"),))
    trajectory = play(turn, turn, limits=AgentLimits(max_turns=2))
    assert trajectory.status == Status.TRUNCATED
    assert trajectory.error == "no answer within 2 turns"
    # The last call ran and its result is kept; nothing is answered in the model's stead.
    assert len(trajectory.turns[1].results) == 1 and trajectory.answer is None


def test_a_completion_that_is_cut_off_ends_it():
    limits = AgentLimits(max_completion_tokens=5, max_total_tokens=2000)
    episode = play_tokens(answer("a long answer"), limits=limits)
    assert episode.trajectory.status == Status.TRUNCATED
    assert episode.trajectory.answer is None
    assert episode.ledger.loss_mask.sum() == 5


@pytest.mark.parametrize("total", [20, 30, 40, 50, 60, 70, 80])
def test_the_ledger_never_exceeds_the_total(total):
    turns = (ParsedTurn(calls=(search("a b"),)), ParsedTurn(calls=(search("c d"),)), answer())
    limits = AgentLimits(max_completion_tokens=19, max_total_tokens=total)
    episode = play_tokens(*turns, limits=limits)
    assert len(episode.ledger) <= total
    fits = total >= 80
    assert episode.trajectory.status == (Status.OK if fits else Status.TRUNCATED)
    # An observation enters whole and is read, or does not enter.
    assert episode.ledger.loss_mask[-1]


def test_a_question_that_does_not_fit():
    limits = AgentLimits(max_completion_tokens=5, max_total_tokens=10)
    engine = ScriptedEngine(lambda rollout_id, turn: [1])
    episode = token_episode(make_question("x" * 10**6), TOKENIZER, COMPACT, limits)
    (result,) = run_slots([episode], engine, Library())
    assert result.trajectory.status == Status.TRUNCATED
    assert result.trajectory.turns == () and len(result.ledger) == 0
    assert engine.num_steps == 0


def test_a_failing_engine_or_policy():
    episode = play_tokens(ParsedTurn(calls=(search("a"),)), None)
    assert episode.trajectory.status == Status.INFRA_ERROR
    late = ParsedTurn(status=Status.TIMEOUT, error="endpoint took longer than 60 s")
    trajectory = play(late)
    assert trajectory.status == Status.TIMEOUT
    assert trajectory.error == "endpoint took longer than 60 s"


def test_the_generator_does_no_io():
    episode = text_episode(make_question(), AgentLimits(), trajectory_id="t", index_hash="h")
    request = next(episode)
    assert isinstance(request, NextTurn) and request.turns == ()
    request = episode.send(ParsedTurn(calls=(search("a"),)))
    assert isinstance(request, CallTools) and request.calls[0].call_id == "0.0"
    request = episode.send((ToolResult(status=Status.OK, text="no results"),))
    assert len(request.turns) == 1
    with pytest.raises(StopIteration) as end:
        episode.send(answer())
    assert (end.value.value.trajectory_id, end.value.value.index_hash) == ("t", "h")
    assert msgspec.json.encode(end.value.value)


@pytest.mark.parametrize(
    "settings",
    [{"max_turns": 0}, {"max_malformed": -1}, {"max_total_tokens": 64}],
)
def test_limits_are_checked(settings):
    with pytest.raises(ValueError, match=f"agent.{next(iter(settings))}"):
        AgentLimits(**settings)
