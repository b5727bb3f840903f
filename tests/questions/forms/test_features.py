"""Counts, reported absences, sets and unanswerable questions about real diseases."""

import collections

import pytest

from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.forms.counts import band_of
from medr_jax.questions.forms.make import FormMaker
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.splits import assign_splits
from medr_jax.types import Relation

FORMS = ("frequency", "absence", "several_answers", "unanswerable")
CONFIG = QuestionConfig(forms=dict.fromkeys(FORMS, 1.0), dev_fraction=0.0, test_fraction=0.0)
WANTED = 12


@pytest.fixture(scope="module")
def questions(hpo_graph):
    maker = FormMaker(QuestionMaker(hpo_graph, CONFIG, assign_splits(hpo_graph, CONFIG)))
    found = collections.defaultdict(list)
    for form in FORMS:
        for seed in maker.seeds(form, "train"):
            found[form] += maker.from_seed(form, seed, "train")[:1]
            if len(found[form]) == WANTED:
                break
    return found


def test_every_form_holds_by_brute_force(hpo_graph, questions, brute_force, brute_force_forms):
    brute = brute_force.BruteForce(hpo_graph)
    for form in FORMS:
        assert len(questions[form]) == WANTED
        for question in questions[form]:
            assert question.form == form
            assert not brute_force_forms.feature_violations(brute, hpo_graph, question), question
    kinds = {one.proof["unanswerable"] for one in questions["unanswerable"]}
    assert kinds == {"not stated", "false premise"}


def test_a_count_needs_individuals_and_a_band():
    assert band_of(14, 15) == "very frequent"
    assert band_of(9, 9) == ""  # fewer than ten
    assert band_of(10, 10) == "very frequent"
    assert band_of(9, 10) == ""  # 0.9, but the interval begins at 0.71
    assert band_of(0, 30) == ""
    assert band_of(50, 100) == "frequent"


def test_an_absence_that_was_seen_in_another_report_is_none(make_graph):
    """OMIM:1 has HP:2's parent HP:1 absent in one report and HP:2 present in another."""
    from medr_jax.questions.forms.asks import AskFinder

    p, eye = Relation.HAS_PHENOTYPE, "OMIM:6"
    for extra, expected in (((), {"HP:1"}), (((eye, p, "HP:2"),), set())):
        graph = make_graph((eye, p, "HP:1", "excluded"), *extra)
        maker = QuestionMaker(graph, CONFIG, assign_splits(graph, CONFIG))
        import random

        asks = AskFinder(maker).find("absence", eye, random.Random(0))
        assert {ask.hop.target_id for ask in asks} == expected
