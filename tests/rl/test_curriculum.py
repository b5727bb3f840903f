"""Questions come fairly, repeatably, and more often where something can be learned."""

import collections
import json

import pytest

from medr_jax.rl.curriculum import Curriculum, CurriculumConfig, CurriculumName
from medr_jax.testing.tokens import make_question

QUESTIONS = [make_question(question_id=f"q{n}", num_hops=1 + n % 2) for n in range(20)]
SUCCESS = CurriculumConfig(name=CurriculumName.success, momentum=0.0)


def ids(questions):
    return [question.question_id for question in questions]


def test_no_question_comes_again_before_all_of_its_stratum_came():
    curriculum = Curriculum(QUESTIONS, CurriculumConfig(), seed=0)
    drawn = collections.Counter(ids(curriculum.draw(200)))
    for hops in (1, 2):
        counts = [drawn[q.question_id] for q in QUESTIONS if q.num_hops == hops]
        assert max(counts) - min(counts) <= 1


def test_the_order_given_does_not_matter_and_the_seed_does():
    first = ids(Curriculum(QUESTIONS, CurriculumConfig(), seed=0).draw(20))
    assert ids(Curriculum(QUESTIONS[::-1], CurriculumConfig(), seed=0).draw(20)) == first
    assert ids(Curriculum(QUESTIONS, CurriculumConfig(), seed=1).draw(20)) != first


def test_strata_that_are_sometimes_answered_come_more_often():
    curriculum = Curriculum(QUESTIONS, SUCCESS, seed=0)
    curriculum.update(QUESTIONS[0], 0.5)  # one hop: weight 0.25 + 0.05
    curriculum.update(QUESTIONS[1], 1.0)  # two hops, always right: weight 0 + 0.05
    drawn = collections.Counter(question.num_hops for question in curriculum.draw(700))
    assert drawn[1] == pytest.approx(600, abs=40)


def test_a_rate_is_a_running_mean():
    curriculum = Curriculum(QUESTIONS, CurriculumConfig(momentum=0.9), seed=0)
    curriculum.update(QUESTIONS[0], 1.0)
    assert curriculum.rates["hops=1"] == pytest.approx(0.9 * 0.5 + 0.1)
    assert curriculum.rates["hops=2"] == 0.5


def test_its_state_goes_through_json_and_goes_on_exactly():
    whole = Curriculum(QUESTIONS, SUCCESS, seed=0)
    whole.draw(30)
    whole.update(QUESTIONS[1], 0.2)
    resumed = Curriculum(QUESTIONS, SUCCESS, seed=0)
    resumed.set_state(json.loads(json.dumps(whole.get_state())))
    assert ids(resumed.draw(30)) == ids(whole.draw(30))
    assert resumed.get_state() == whole.get_state()


def test_other_questions_are_refused():
    state = Curriculum(QUESTIONS, SUCCESS, seed=0).get_state()
    with pytest.raises(ValueError, match="go on with the questions the run began with"):
        Curriculum(QUESTIONS[::2], SUCCESS, seed=0).set_state(state)
    with pytest.raises(ValueError, match="each once"):
        Curriculum([QUESTIONS[0]] * 2, SUCCESS, seed=0)
