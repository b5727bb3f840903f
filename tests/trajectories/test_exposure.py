from medr_jax.trajectories.exposure import NameFinder
from medr_jax.types import (
    Answer,
    Chain,
    Hit,
    Kind,
    Question,
    Status,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

NAMES = {
    "D:1": ("Alpha syndrome", "Alpha disease"),
    "D:2": ("Alpha syndrome, type 2",),
    "GENE:AB1": ("AB1",),
    "D:3": ("-",),
}


def trajectory(text="Which?", thought="", query="q", title="T", snippet="", answer="x"):
    question = Question(
        question_id="q",
        text=text,
        chain=Chain(clues=(), hops=(), seed_id="D:9"),
        num_hops=1,
        answer=answer,
        answer_id="D:9",
        answer_kind=Kind.DISEASE,
    )
    call = ToolCall(name="search", arguments={"query": query}, call_id="1")
    hit = Hit(doc_id="D:9", title=title, snippet=snippet, label=1)
    result = ToolResult(status=Status.OK, hits=(hit,), call_id="1")
    turns = (
        Turn(thought=thought, calls=(call,), results=(result,)),
        Turn(answer=Answer(text=answer)),
    )
    return Trajectory(trajectory_id="t", question=question, turns=turns, status=Status.OK)


def test_a_name_is_found_wherever_it_is_read_or_written():
    finder = NameFinder(NAMES)
    assert finder.named(trajectory()) == ()
    for field in ("text", "thought", "query", "title", "snippet", "answer"):
        assert finder.named(trajectory(**{field: "see ALPHA-disease."})) == ("D:1",), field


def test_names_are_whole_words_and_may_contain_each_other():
    finder = NameFinder(NAMES)
    # A substring rule would find AB1 in AB11.
    assert finder.named(trajectory(snippet="AB11; alpha syndromes; Alpha")) == ()
    assert finder.named(trajectory(snippet="Alpha syndrome, type 2; AB1")) == (
        "D:1",
        "D:2",
        "GENE:AB1",
    )
    assert finder.named(trajectory(snippet="Alpha syndrome, type 3")) == ("D:1",)


def test_a_name_does_not_run_over_the_end_of_a_text():
    assert NameFinder(NAMES).named(trajectory(thought="Alpha", query="syndrome")) == ()
