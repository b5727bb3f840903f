from medr_jax.data import card as cards
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


def trajectory(number, *, calls=1, hops=2, kind=Kind.GENE, specialties=("eye",), snippet="s"):
    question = Question(
        question_id=f"q{number}",
        text=f"Question {number}?",
        chain=Chain(clues=(), hops=(), seed_id="D"),
        num_hops=hops,
        answer="FBN1",
        answer_id="GENE:FBN1",
        answer_kind=kind,
        specialties=specialties,
    )
    call = ToolCall(name="search", arguments={"query": "marfan genes"})
    hit = Hit(doc_id="D", title="Marfan syndrome", snippet=snippet, label=4)
    turn = Turn(thought="look", calls=(call,), results=(ToolResult(status=Status.OK, hits=(hit,)),))
    end = Turn(thought="done", answer=Answer(text="FBN1", citations=("D",)))
    return Trajectory(
        trajectory_id=f"t{number}", question=question, turns=(turn,) * calls + (end,),
        status=Status.OK,
    )  # fmt: skip


ROWS = {
    "train": [
        trajectory(1, calls=1, hops=1, specialties=("eye", "heart")),
        trajectory(2, calls=2),
        trajectory(3, calls=6, hops=10, kind=Kind.DISEASE),
    ],
    "test": [trajectory(4, calls=2)],
}


def make(rows=ROWS, **changes):
    fields = {
        "rejections": {"train": {"too_long": 3}, "test": {}},
        "drafts_rejected": {"train": {"no clues": 1200}, "test": {"no clues": 1}},
        "shared": {"clue_phenotypes_in_both": 12},
        "facts": {"snapshot": "HPO 2025-01-16", "licences": ["A", "B"]},
        "num_words": lambda trajectory: 10 * trajectory.num_tool_calls,
    }
    return cards.make_card(rows, **fields | changes)


def test_counts_are_those_of_the_trajectories():
    train = make()["splits"]["train"]
    assert train["trajectories"] == 3
    assert train["hops"] == {"1": 1, "2": 1, "10": 1}
    assert train["answer_kinds"] == {"disease": 1, "gene": 2}
    assert train["specialties"] == {"eye": 3, "heart": 1}
    assert train["tool_calls"] == {"1": 1, "2": 1, "6": 1}
    assert train["mean_tool_calls"] == 3.0
    assert train["mean_words"] == 30.0


def test_markdown_says_what_it_is_and_lists_everything():
    text = cards.render_card(make())
    assert "says nothing about medical knowledge" in text
    assert "- licences: A; B" in text
    assert "| too long | 3 | 0 |" in text
    assert "| no clues | 1,200 | 1 |" in text
    assert "- clue phenotypes in both: 12" in text
    # 10 hops come after 2, not before, as text would sort.
    assert text.index("| 2 | 1 | 1 |") < text.index("| 10 | 1 | 0 |")
    assert text.count("```text") == 2


def test_an_empty_split_does_not_break_it():
    text = cards.render_card(make({"train": ROWS["train"], "test": []}))
    assert "| mean tool calls | 3.0 | 0.0 |" in text


def test_a_trajectory_reads_as_it_happened_and_cannot_leave_its_fence():
    hostile = trajectory(1, snippet="``` # not a heading " + "x" * 300)
    text = cards.render_trajectory(hostile)
    lines = text.splitlines()
    assert lines[0] == "Question (2 hops, train): Question 1?"
    assert lines[3:5] == ["think   look", "search  query='marfan genes'"]
    assert lines[5].startswith("  [4] Marfan syndrome: ''' # not a heading xxx")
    assert lines[5].endswith(" ...")
    assert lines[-1] == "answer  FBN1  (cites D)"
    assert "```" not in text
