import pytest

from medr_jax.agent.loop import AgentLimits
from medr_jax.eval import evaluate
from medr_jax.eval.contamination import Unseen
from medr_jax.eval.evaluate import EvaluationConfig
from medr_jax.eval.kept import KeptRollouts
from medr_jax.testing.tokens import ScriptedEngine, byte_tokenizer, completion_ids
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.types import Hit, Status, ToolCall, ToolResult


class Tools:
    """One document for every query; ``empty`` plays the control without results."""

    def __init__(self, empty=False):
        self.empty = empty

    def call_many(self, calls):
        hit = Hit(
            doc_id="G1",
            title="FBN1",
            kind="gene",
            snippet="Associated diseases: Marfan syndrome; Stiff skin syndrome.",
        )
        text = "no results" if self.empty else ""
        hits = () if self.empty else (hit,)
        return [
            ToolResult(status=Status.OK, hits=hits, text=text, latency_ms=float(number))
            for number, _ in enumerate(calls, start=3)
        ]


@pytest.fixture
def grader(world):
    return evaluate.Grader(
        names=world.names,
        document_text=world.document_text,
        unseen=Unseen(fully=frozenset({"q1"}), entities=frozenset({"q1", "q2"})),
    )


def scripted_model(tools, *, identity="step 100"):
    """Searches once, then answers rightly for q1 and q2 and malformed for the rest."""
    tokenizer = byte_tokenizer()
    search = ParsedTurn(
        thought="look", calls=(ToolCall(name="search", arguments={"query": "fbn1"}),)
    )
    right = ParsedTurn(answer_text="stiff skin syndrome", cited_labels=(1,))

    def script(rollout_id, turn):
        if turn == 0:
            return completion_ids(search, tokenizer, "compact")
        if rollout_id.split("/")[0] in ("q1", "q2"):
            return completion_ids(right, tokenizer, "compact")
        return tokenizer.encode("no control tokens")

    engine = ScriptedEngine(script, num_slots=2)
    agent = evaluate.model_agent(
        "model",
        engine,
        tokenizer,
        get_protocol("compact"),
        tools,
        AgentLimits(max_malformed=0, max_total_tokens=2000),
        identity={"checkpoint": identity},
        index_hash="abc",
    )
    return agent, engine


def questions(world, count=4):
    return [world.question(f"q{number}") for number in range(1, count + 1)]


def test_a_model_is_run_graded_and_saved(world, grader, tmp_path):
    agent, _ = scripted_model(Tools())
    summary = evaluate.evaluate(agent, questions(world), grader, tmp_path, seed=3)
    everything = summary.groups["all"]
    assert everything["exact_match"].value == everything["supported_match"].value == 0.5
    assert summary.groups["unseen"]["exact_match"].n == 1
    assert summary.groups["unseen entities"]["exact_match"].n == 2
    assert summary.statuses == {"model_error": 2, "ok": 2}
    # 4 searches and 2 malformed completions
    assert everything["call_validity"].value == pytest.approx(4 / 6)
    results = evaluate.load_results(tmp_path)
    assert [result.question.question_id for result in results] == ["q1", "q2", "q3", "q4"]
    assert results[0].trajectory.turns[0].results[0].latency_ms == 0.0  # differs between runs
    assert evaluate.load_summaries(tmp_path) == {"model": summary}


def test_a_finished_agent_is_not_run_again(world, grader, tmp_path):
    first = evaluate.evaluate(scripted_model(Tools())[0], questions(world), grader, tmp_path)
    again, engine = scripted_model(Tools())
    assert evaluate.evaluate(again, questions(world), grader, tmp_path) == first
    assert engine.num_steps == 0


@pytest.mark.parametrize("change", ["checkpoint", "questions", "half written"])
def test_anything_else_is_run_again(world, grader, tmp_path, change):
    asked = questions(world)
    evaluate.evaluate(scripted_model(Tools())[0], asked, grader, tmp_path)
    if change == "half written":
        (tmp_path / "model" / "summary.json").unlink()
    again, engine = scripted_model(
        Tools(), identity="step 200" if change == "checkpoint" else "step 100"
    )
    evaluate.evaluate(again, asked[:3] if change == "questions" else asked, grader, tmp_path)
    assert engine.num_steps > 0


def test_without_results_nothing_can_be_cited(world, grader, tmp_path):
    agent, _ = scripted_model(Tools(empty=True))
    summary = evaluate.evaluate(agent, questions(world), grader, tmp_path)
    assert summary.groups["all"]["exact_match"].value == 0.5  # what the model knows by heart
    assert summary.groups["all"]["supported_match"].value == 0.0


def test_results_are_the_same_bytes_twice(world, grader, tmp_path):
    for folder in ("a", "b"):
        evaluate.evaluate(scripted_model(Tools())[0], questions(world), grader, tmp_path / folder)
    first, second = (
        (tmp_path / folder / "model" / "results.jsonl").read_bytes() for folder in ("a", "b")
    )
    assert first == second


class Stopping(Tools):
    """Ends the process's work at the nth call, as Ctrl-C would."""

    def __init__(self, calls_left):
        super().__init__()
        self.calls_left = calls_left

    def call_many(self, calls):
        self.calls_left -= 1
        if self.calls_left < 0:
            raise KeyboardInterrupt
        return super().call_many(calls)


def results_of(folder):
    return (folder / "model" / "results.jsonl").read_bytes()


@pytest.mark.parametrize("torn", [False, True])
def test_an_interrupted_evaluation_goes_on_with_what_is_left(world, grader, tmp_path, torn):
    asked = questions(world, count=9)
    whole, without = scripted_model(Tools())
    evaluate.evaluate(whole, asked, grader, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(scripted_model(Stopping(5))[0], asked, grader, tmp_path / "cut")
    (kept,) = (tmp_path / "cut" / "model").glob("kept-*")
    assert not (tmp_path / "cut" / "model" / "results.jsonl").exists()
    if torn:
        kept.write_bytes(kept.read_bytes()[:-20])
    again, engine = scripted_model(Tools())
    summary = evaluate.evaluate(again, asked, grader, tmp_path / "cut")
    assert summary.num_questions == 9 and results_of(tmp_path / "cut") == results_of(
        tmp_path / "whole"
    )
    assert 0 < engine.num_steps < without.num_steps
    assert not kept.exists()


def test_what_was_kept_of_another_checkpoint_is_not_taken(world, grader, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(scripted_model(Stopping(3))[0], questions(world), grader, tmp_path)
    whole, without = scripted_model(Tools(), identity="step 200")
    evaluate.evaluate(whole, questions(world), grader, tmp_path / "whole")
    other, engine = scripted_model(Tools(), identity="step 200")
    evaluate.evaluate(other, questions(world), grader, tmp_path)
    assert engine.num_steps == without.num_steps


def test_failures_on_our_side_are_not_kept(world, tmp_path):
    rollouts = [
        world.trajectory(question=world.question("q1"), status=Status.INFRA_ERROR),
        world.trajectory(question=world.question("q2"), status=Status.MODEL_ERROR),
    ]
    asked = [one.question for one in rollouts]

    def roll_out(questions, keep):
        found = [one for one in rollouts if one.question in questions]
        for one in found:
            keep(one)
        return found

    first = KeptRollouts(tmp_path, "a")
    assert first.complete(asked, roll_out) == rollouts
    again = KeptRollouts(tmp_path, "a")
    assert set(again.trajectories) == {"q2"} and 0 < again.seconds <= first.seconds
    assert again.complete(asked[::-1], roll_out) == rollouts[::-1]
    assert not KeptRollouts(tmp_path, "b").trajectories


def test_selection_is_per_hop_and_ignores_order(world):
    pool = [world.question(f"q{n}", num_hops=1 + n % 3) for n in range(60)]
    config = EvaluationConfig(questions_per_hop=5, hops=[1, 2, 3])
    chosen = evaluate.select_questions(pool, config)
    assert [question.num_hops for question in chosen] == [1] * 5 + [2] * 5 + [3] * 5
    assert evaluate.select_questions(pool[::-1], config) == chosen
    other = evaluate.select_questions(
        pool, EvaluationConfig(questions_per_hop=5, hops=[1, 2, 3], seed=1)
    )
    assert other != chosen


def test_a_missing_hop_count_names_the_remedy(world):
    with pytest.raises(ValueError, match=r"no questions of \[4\] hops.*evaluation.hops=\[1\]"):
        evaluate.select_questions([world.question(num_hops=1)], EvaluationConfig(hops=[1, 4]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "train"}, "evaluation.split='train'"),
        ({"questions_per_hop": 0}, "questions_per_hop=0"),
        ({"hops": []}, "evaluation.hops"),
        ({"baselines": ["oracle", "best"]}, r"unknown \['best'\]"),
    ],
)
def test_config_mistakes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**change)
