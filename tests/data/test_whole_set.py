"""A whole set: checked by code that did not make it, shown as a page, filtered by difficulty."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from medr_jax import jsonl
from medr_jax.data.synthesize import Rejection, synthesize
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import card_page, check
from medr_jax.questions.config import QuestionConfig
from medr_jax.testing import question_checker, trajectory_checker
from medr_jax.tools.config import ToolsConfig
from medr_jax.trajectories import flaws
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.difficulty import Difficulty, DifficultyConfig, Measured
from medr_jax.trajectories.flaws import Flaw
from medr_jax.trajectories.perturb import ExplorationConfig
from medr_jax.types import Answer, Question

SPLITS = ("train", "dev", "test")
EXPLORATION = ExplorationConfig(
    share=0.6, tool_failure=0.1, premature_answer=0.2, repeated_search=0.2
)


def make(toy, out, **settings):
    synthesis = {"num_workers": 1, "exploration": EXPLORATION, "duplicate_overlap": 1.0}
    return synthesize(
        graph_path=toy.graph,
        index_path=toy.index,
        question_config=QuestionConfig(
            num_train=80, num_dev=5, num_test=5, dev_fraction=0.2, test_fraction=0.2
        ),
        tools_config=ToolsConfig(),
        config=SynthesisConfig(**synthesis | settings),
        out=out,
    )


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("explored")
    make(toy, out)
    return out


@pytest.fixture(scope="module")
def rows(made):
    return [row for split in SPLITS for row in read_trajectories(made / "dataset", split)]


@pytest.fixture(scope="module")
def graph(toy):
    return KnowledgeGraph.load(toy.graph)


def problems(graph, row):
    def names(entity_id):
        entity = graph.entity(entity_id)
        return (entity.name, *entity.synonyms)

    return trajectory_checker.violations(names, row)


def asks_for_a_clue(row, flaw):
    """A detour to a clue is no sure flaw: the expert looks clues up, too."""
    clues = {clue.text.lower() for clue in row.question.chain.clues}
    calls = (call for turn in flaws.turns_with(row, flaw) for call in row.turns[turn].calls)
    shown = {
        str(hit.label): hit.title
        for turn in row.turns
        for result in turn.results
        for hit in result.hits
    }
    asked = (call.arguments.get("query") or shown[call.arguments["doc_id"]] for call in calls)
    return any(text.lower() in clues for text in asked)


def test_a_made_set_has_no_violation(graph, rows):
    assert {flaw for row in rows for flaw, _ in flaws.labelled(row)} == set(Flaw)
    assert list(check.violations(graph, rows)) == []


@pytest.mark.parametrize("flaw", list(Flaw))
def test_a_flaw_without_its_label_and_a_label_without_its_flaw_are_seen(graph, rows, flaw):
    with_it = [row for row in rows if flaws.turns_with(row, flaw)]
    sure = [row for row in with_it if not asks_for_a_clue(row, flaw)]
    assert sure
    for row in sure:
        left = tuple(one for one in row.flaws if not one.startswith(flaw))
        assert problems(graph, msgspec.structs.replace(row, flaws=left))
    clean = next(row for row in rows if row.form == "exploration" and not row.flaws)
    # a premature answer is labelled at the answer's turn
    turn = len(clean.turns) - 1 if flaw is Flaw.PREMATURE_ANSWER else 0
    labelled = msgspec.structs.replace(clean, flaws=(flaws.label(flaw, turn),))
    assert problems(graph, labelled)


def test_a_wrong_or_unsupported_answer_is_seen(graph, rows):
    guided = next(row for row in rows if row.form == "guided")
    *before, last = guided.turns

    def ending(answer):
        turns = (*before, msgspec.structs.replace(last, answer=answer))
        return msgspec.structs.replace(guided, turns=turns)

    cited = last.answer.citations
    assert problems(graph, ending(Answer(text="something else", citations=cited)))
    assert problems(graph, ending(Answer(text=last.answer.text, citations=())))
    assert problems(graph, ending(Answer(text=last.answer.text, citations=("OMIM:0",))))
    # One that was shown names the answer; the other never was.
    assert problems(graph, ending(Answer(text=last.answer.text, citations=(*cited, "OMIM:0"))))
    assert problems(graph, ending(None))


def test_an_entity_of_two_splits_is_seen(graph, rows):
    moved = msgspec.structs.replace(
        rows[0], question=msgspec.structs.replace(rows[0].question, split="test")
    )
    found = list(check.violations(graph, [rows[0], moved]))
    assert any(" is of split train" in one.problem for one in found)


@pytest.mark.parametrize("module", [question_checker, trajectory_checker])
def test_the_checkers_use_nothing_of_what_they_check(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.startswith("medr_jax")}
    assert ours <= {"medr_jax.testing.question_checker"}


def test_the_card_page_shows_the_counts_and_runs_nothing(made, rows):
    text = card_page.write_card_page(made).read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|link|iframe|form)\b", text)
    assert f"<b>{len(rows)}</b>" in text
    total = sum(row.num_tool_calls for row in rows) / len(rows)
    assert f"<b>{total:.2f}</b>" in text
    explored = sum(row.form == "exploration" for row in rows)
    assert 0 < explored < len(rows)
    headline = f"<b>{explored}</b><span>exploration</span><small>{len(rows) - explored} guided"
    assert headline in text
    assert re.search(rf">exploration</th>.*?<td>{explored}</td>", text, re.S)
    wrong_turns = sum(bool(flaws.turns_with(row, Flaw.WRONG_TURN)) for row in rows)
    assert re.search(rf">wrong turn</th>.*?<td>{wrong_turns}</td>", text, re.S)
    assert text.count('<details class="rollout"') == 4
    assert "Absent from its sources: infection, therapy" in text
    for reason in jsonl.read(made / "rejections.jsonl", Rejection):
        assert reason.reason.replace("_", " ") in text


def test_the_card_counts_the_guided_rows_of_every_split(made, rows):
    (card,) = jsonl.read(made / "card.json", dict)
    for split in ("dev", "test"):  # exploration is in training only
        number = sum(row.question.split == split for row in rows)
        assert card["splits"][split]["forms"] == {"guided": number}


def measured_file(path, rows, rate):
    return jsonl.write(
        path,
        (
            Measured(
                question_id=row.question.question_id,
                split=row.question.split,
                num_hops=row.question.num_hops,
                answer_kind=str(row.question.answer_kind),
                solved={"two_shot": rate(row.question), "one_shot": 1.0},
            )
            for row in rows
        ),
    )


def test_questions_that_solvers_answer_half_of_the_time_are_dropped(toy, made, rows, tmp_path):
    measured = tmp_path / "difficulty.jsonl"
    measured_file(measured, rows, lambda question: 0.5 if question.num_hops < 3 else 0.49)
    out = tmp_path / "out"
    out.mkdir()
    make(toy, out, difficulty=DifficultyConfig(measured=str(measured)))
    kept = [
        one for split in SPLITS for one in jsonl.read(out / f"questions-{split}.jsonl", Question)
    ]
    assert kept == [row.question for row in rows if row.question.num_hops >= 3]
    dropped = list(jsonl.read(out / "rejections.jsonl", Rejection))
    easy = sum(one.reason == "too_easy" for one in dropped)
    assert easy == len(rows) - len(kept) > 0
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "answered by two_shot in less than 50% of tries" in card


def test_a_measurement_of_another_set_is_refused(rows, tmp_path):
    measured = tmp_path / "difficulty.jsonl"
    measured_file(measured, rows[1:], lambda question: 0.0)
    found = Difficulty(DifficultyConfig(measured=str(measured)))
    assert not found.is_too_easy(rows[1].question)
    with pytest.raises(ValueError, match=rf"{rows[0].question.question_id}.*is not in it"):
        found.is_too_easy(rows[0].question)
    with pytest.raises(ValueError, match="no answers of endpoint; it has one_shot, two_shot"):
        Difficulty(DifficultyConfig(measured=str(measured), solvers=["endpoint"]))
    both = DifficultyConfig(measured=str(measured), solvers=["one_shot", "two_shot"])
    assert Difficulty(both).is_too_easy(rows[1].question)  # (1 + 0) / 2 is not less than half


@pytest.mark.parametrize("changes", [{"below": 0.0}, {"below": 1.5}, {"solvers": []}])
def test_rules_that_cannot_be_are_refused(changes):
    with pytest.raises(ValueError, match=f"difficulty.{next(iter(changes))}"):
        DifficultyConfig(**changes)
