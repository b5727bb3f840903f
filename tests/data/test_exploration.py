"""Perturbed trajectories of the expert over a live toy index."""

import dataclasses
import itertools

import msgspec
import pytest

from medr_jax.data import card as cards
from medr_jax.grading import match
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.generate import seed_entities
from medr_jax.tools.runtime import ToolsConfig
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories import flaws
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.expert_config import ExpertConfig
from medr_jax.trajectories.flaws import Flaw
from medr_jax.trajectories.perturb import ExplorationConfig
from medr_jax.trajectories.workshop import Setup
from medr_jax.types import Status

DETOURS = ExplorationConfig(share=1.0, tool_switch=0.4, wrong_turn=0.4, tool_failure=0.15)
MISTAKES = ExplorationConfig(
    share=1.0,
    tool_switch=0.0,
    wrong_turn=0.0,
    tool_failure=0.0,
    premature_answer=0.5,
    repeated_search=0.5,
)


def open_workshop(toy, exploration, **expert):
    return Setup(
        graph_path=str(toy.graph),
        index_path=str(toy.index),
        questions=QuestionConfig(num_train=40, num_dev=10, num_test=10),
        tools=ToolsConfig(),
        synthesis=SynthesisConfig(exploration=exploration, expert=ExpertConfig(**expert)),
    ).open()


@pytest.fixture(scope="module")
def questions(toy):
    workshop = open_workshop(toy, ExplorationConfig())
    seeds = seed_entities(workshop.graph, workshop.setup.questions, "train", workshop.splits)
    drafted = (workshop.maker.from_seed(seed, "train", frozenset()) for seed in seeds)
    return list(itertools.islice(itertools.chain.from_iterable(drafted), 40))


def attempts(toy, questions, exploration, **expert):
    workshop = open_workshop(toy, exploration, **expert)
    found = [workshop.attempt(question) for question in questions]
    return [attempt.trajectory for attempt in found if attempt.trajectory is not None]


def test_off_by_default_nothing_changes(toy, questions):
    plain = attempts(toy, questions, ExplorationConfig())
    assert len(plain) >= 30
    assert {(t.form, t.flaws) for t in plain} == {("guided", ())}
    some = attempts(toy, questions, dataclasses.replace(DETOURS, share=0.5))
    forms = [trajectory.form for trajectory in some]
    assert 0.25 < forms.count("exploration") / len(forms) < 0.75
    unperturbed = [t for t in some if t.form == "guided"]
    assert all(trajectory in plain for trajectory in unperturbed)


def test_detours_are_real_labelled_and_got_over(toy, questions):
    found = attempts(toy, questions, DETOURS)
    kinds = {flaw for trajectory in found for flaw, _ in flaws.labelled(trajectory)}
    assert kinds == {Flaw.TOOL_SWITCH, Flaw.WRONG_TURN, Flaw.TOOL_FAILURE}
    assert found == attempts(toy, questions, DETOURS)
    for trajectory in found:
        assert trajectory.status is Status.OK
        assert match.is_correct(trajectory.answer.text, trajectory.question)
        for flaw, number in flaws.labelled(trajectory):
            turn = trajectory.turns[number]
            if flaw is Flaw.TOOL_FAILURE:
                assert turn.results[0].status is Status.TIMEOUT and turn.results[0].text
                again = trajectory.turns[number + 1]
                assert [c.arguments for c in again.calls] == [c.arguments for c in turn.calls]
            else:
                named = turn.calls[0].name
                assert named == ("read" if flaw is Flaw.TOOL_SWITCH else "search")
        failed = [
            number
            for number, turn in enumerate(trajectory.turns)
            if any(result.status is not Status.OK for result in turn.results)
        ]
        assert failed == sorted(flaws.turns_with(trajectory, Flaw.TOOL_FAILURE))


def reasons(trajectories):
    """The filter's verdicts when labels are taken away."""
    return {
        filters.reason_against(
            msgspec.structs.replace(trajectory, flaws=()),
            names=lambda entity_id: (),
            max_words=4000,
        )
        for trajectory in trajectories
    }


def test_without_its_label_a_flaw_is_a_reason_to_drop_the_trajectory(toy, questions):
    failed = [
        t for t in attempts(toy, questions, DETOURS) if flaws.turns_with(t, Flaw.TOOL_FAILURE)
    ]
    assert reasons(failed) == {filters.Reason.FAILED_CALL}
    found = attempts(toy, questions, MISTAKES)
    repeated = [t for t in found if flaws.turns_with(t, Flaw.REPEATED_SEARCH)]
    assert reasons(repeated) == {filters.Reason.LOOP}
    early = [t for t in found if flaws.turns_with(t, Flaw.PREMATURE_ANSWER)]
    assert reasons(early) == {filters.Reason.WRONG_ANSWER}


def test_mistakes_stay_and_the_card_says_how_many(toy, questions):
    config = dataclasses.replace(MISTAKES, share=0.45)
    found = attempts(toy, questions, config)
    wrong = [t for t in found if not match.is_correct(t.answer.text, t.question)]
    assert wrong and all(flaws.turns_with(t, Flaw.PREMATURE_ANSWER) for t in wrong)
    assert all(t.question.num_hops > 1 for t in wrong)
    mistaken = [t for t in found if t.flaws]
    share = len(mistaken) / len(found)
    assert 0.25 < share < 0.65
    card = cards.make_card(
        {"train": found, "dev": []},
        rejections={},
        drafts_rejected={},
        shared={},
        facts={},
        num_words=filters.num_words,
    )
    counts = card["splits"]["train"]
    assert counts["share_with_mistakes"] == pytest.approx(share, abs=1e-4)
    assert sum(counts["flaws"].values()) == len(mistaken)
    assert "| premature answer |" in cards.render_card(card)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"share": 1.5}, "share=1.5"),
        ({"wrong_turn": 0.7, "tool_switch": 0.7}, "together at most 1"),
        ({"premature_answer": 0.7, "repeated_search": 0.7}, "together at most 1"),
        ({"tool_failure": 1.0}, "tool_failure=1"),
    ],
)
def test_shares_that_cannot_be_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        ExplorationConfig(**changes)


def test_reading_is_needed_to_switch_to_it():
    may_not = ExpertConfig(may_read=False, read_on_the_way=0, read_before_answer=0)
    with pytest.raises(ValueError, match="tool_switch"):
        SynthesisConfig(exploration=ExplorationConfig(share=0.5), expert=may_not)
